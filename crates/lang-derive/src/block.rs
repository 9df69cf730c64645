//! `#[derive(FromBlock)]`.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Attribute, Data, DeriveInput, Error, Expr, ExprCall, Field, Fields, Ident, Lit, LitStr, Path, Result, Type};

use crate::doc;

/// What a field is, from its attribute.
enum Role {
    Attr(Options),
    Block(Options),
    Label,
    Squash,
}

#[derive(Default)]
struct Options {
    name: Option<String>,
    optional: bool,
    required: bool,
    /// A literal as the configuration would write it.
    default: Option<Lit>,
    /// An expression of the field's type.
    default_with: Option<Expr>,
}

struct Member<'a> {
    ident: &'a Ident,
    ty: &'a Type,
    doc: String,
    role: Role,
}

/// What is asked about the struct as a whole.
#[derive(Default)]
struct Asked {
    rules: Vec<Rule>,
    validate: Option<Path>,
}

/// `path(a, b)`: a function about some of the fields.
struct Rule {
    path: Expr,
    fields: Vec<Ident>,
}

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let Data::Struct(data) = &input.data else {
        return Err(Error::new_spanned(&input.ident, "FromBlock reads structs; for enums there is FromText"));
    };
    let Fields::Named(fields) = &data.fields else {
        return Err(Error::new_spanned(&input.ident, "FromBlock needs named fields"));
    };
    if !input.generics.params.is_empty() {
        return Err(Error::new_spanned(&input.generics, "FromBlock does not read generic structs"));
    }
    let asked = container(&input.attrs)?;
    let members = fields.named.iter().map(member).collect::<Result<Vec<_>>>()?;
    let named = asked.rules.iter().flat_map(|rule| &rule.fields);
    if let Some(unknown) = named.into_iter().find(|field| !members.iter().any(|member| member.ident == *field)) {
        return Err(Error::new_spanned(unknown, "a rule is about fields of the struct"));
    }

    let name = &input.ident;
    let visibility = &input.vis;
    let builder = format_ident!("{name}Builder");
    let slots = members.iter().map(slot);
    let schema = members.iter().map(schema_field);
    let attributes = members.iter().filter_map(take_attribute);
    let blocks = members.iter().filter_map(take_block);
    let labels = members.iter().filter_map(take_label);
    let fields = members.iter().map(field);
    let rules = asked.rules.iter().map(ask);
    let idents: Vec<_> = members.iter().map(|member| member.ident).collect();
    let struct_doc = doc(&input.attrs);
    let builder_doc = format!("Collects what a block says for [`{name}`].");
    let validate = asked.validate.map(|path| {
        quote! {
            if __verdict.is_clean() {
                __verdict.rule(#path(&mut done));
            }
        }
    });

    Ok(quote! {
        #[doc = #builder_doc]
        #[derive(Default)]
        #visibility struct #builder { #(#slots,)* }

        impl ::lang::decode::FromBlock for #name {
            type Builder = #builder;

            fn schema() -> &'static ::lang::decode::Schema {
                static SCHEMA: ::lang::decode::Schema = ::lang::decode::Schema {
                    fields: &[#(#schema,)*],
                    doc: #struct_doc,
                    judge: || ::std::boxed::Box::new(<#builder as ::std::default::Default>::default()),
                };
                &SCHEMA
            }
        }

        impl ::lang::decode::block::Builder for #builder {
            type Output = #name;

            fn attribute(
                &mut self,
                name: &str,
                value: &::lang::value::Value,
            ) -> ::std::result::Result<bool, ::lang::value::ValueError> {
                #(#attributes)*
                ::std::result::Result::Ok(false)
            }

            fn block(
                &mut self,
                name: &str,
                block: &::lang::syntax::ast::Block,
                scope: &::lang::eval::Scope,
            ) -> ::std::result::Result<bool, ::std::vec::Vec<::lang::diagnostic::Diagnostic>> {
                #(#blocks)*
                ::std::result::Result::Ok(false)
            }

            fn label(&mut self, label: &str) {
                #(#labels)*
                let _ = label;
            }

            fn conclude(self, __verdict: &mut ::lang::decode::judge::Verdict) -> ::std::option::Option<#name> {
                #(#fields)*
                #(#rules)*
                #[allow(unused_mut, reason = "only validation changes it")]
                let mut done = #name { #(#idents: #idents?,)* };
                #validate
                __verdict.is_clean().then_some(done)
            }
        }
    })
}

/// `#[block(rule = path(a, b), validate = path)]` on the struct.
fn container(attributes: &[Attribute]) -> Result<Asked> {
    let mut asked = Asked::default();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("block")) {
        attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("rule") {
                asked.rules.push(rule(meta.value()?.parse()?)?);
            } else if meta.path.is_ident("validate") {
                asked.validate = Some(meta.value()?.parse()?);
            } else {
                return Err(meta.error("expected rule or validate"));
            }
            Ok(())
        })?;
    }
    Ok(asked)
}

fn rule(call: ExprCall) -> Result<Rule> {
    let field = |argument: &Expr| match argument {
        Expr::Path(path) => path.path.require_ident().cloned(),
        other => Err(Error::new_spanned(other, "a rule is about fields of the struct")),
    };
    Ok(Rule { fields: call.args.iter().map(field).collect::<Result<_>>()?, path: *call.func })
}

fn member(field: &Field) -> Result<Member<'_>> {
    let ident = field.ident.as_ref().ok_or_else(|| Error::new_spanned(field, "FromBlock needs named fields"))?;
    let mut role = None;
    for attribute in &field.attrs {
        let found = match attribute.path() {
            path if path.is_ident("attr") => Role::Attr(options(attribute)?),
            path if path.is_ident("block") => Role::Block(options(attribute)?),
            path if path.is_ident("label") => Role::Label,
            path if path.is_ident("squash") => Role::Squash,
            _ => continue,
        };
        if role.replace(found).is_some() {
            return Err(Error::new_spanned(attribute, "a field is one of attr, block, label, squash"));
        }
    }
    let role = role.ok_or_else(|| Error::new_spanned(ident, "say #[attr], #[block], #[label] or #[squash]"))?;
    Ok(Member { ident, ty: &field.ty, doc: doc(&field.attrs), role })
}

fn options(attribute: &Attribute) -> Result<Options> {
    let mut options = Options::default();
    if matches!(attribute.meta, syn::Meta::Path(_)) {
        return Ok(options);
    }
    attribute.parse_nested_meta(|meta| {
        if meta.path.is_ident("name") {
            options.name = Some(meta.value()?.parse::<LitStr>()?.value());
        } else if meta.path.is_ident("default") {
            options.default = Some(meta.value()?.parse()?);
        } else if meta.path.is_ident("default_with") {
            options.default_with = Some(meta.value()?.parse()?);
        } else if meta.path.is_ident("optional") {
            options.optional = true;
        } else if meta.path.is_ident("required") {
            options.required = true;
        } else {
            return Err(meta.error("expected name, default, default_with, optional or required"));
        }
        Ok(())
    })?;
    Ok(options)
}

impl Member<'_> {
    fn name(&self) -> String {
        let own = match &self.role {
            Role::Attr(options) | Role::Block(options) => options.name.clone(),
            Role::Label | Role::Squash => Some(String::new()),
        };
        own.unwrap_or_else(|| self.ident.to_string().trim_start_matches("r#").to_owned())
    }
}

impl Options {
    /// The value of an absent field, if the struct says one.
    fn absent(&self, ty: &Type) -> Option<TokenStream> {
        if let Some(literal) = &self.default {
            return Some(quote! {
                <#ty as ::lang::decode::FromValue>::from_value(&::lang::decode::IntoValue::into_value(#literal))
                    .expect("the default of a field decodes")
            });
        }
        if let Some(expr) = &self.default_with {
            return Some(quote!(#expr));
        }
        self.optional.then(|| quote!(<#ty as ::std::default::Default>::default()))
    }
}

/// The builder's field.
fn slot(member: &Member<'_>) -> TokenStream {
    let Member { ident, ty, .. } = member;
    match member.role {
        Role::Squash => quote!(#ident: <#ty as ::lang::decode::FromBlock>::Builder),
        _ => quote!(#ident: ::std::option::Option<#ty>),
    }
}

fn schema_field(member: &Member<'_>) -> TokenStream {
    let Member { ty, doc, .. } = member;
    let name = member.name();
    let (kind, required, default) = match &member.role {
        Role::Attr(options) => {
            let required = options.absent(ty).is_none();
            let default = match &options.default {
                Some(literal) => {
                    let text = quote!(#literal).to_string();
                    quote!(::std::option::Option::Some(#text))
                }
                None => quote!(::std::option::Option::None),
            };
            let kind = quote!(::lang::decode::FieldKind::Attribute(<#ty as ::lang::decode::FromValue>::SHAPE));
            (kind, quote!(#required), default)
        }
        Role::Block(options) => {
            let kind = quote!(::lang::decode::FieldKind::Block {
                schema: <#ty as ::lang::decode::block::FromBlocks>::SCHEMA,
                repeat: <#ty as ::lang::decode::block::FromBlocks>::REPEAT,
            });
            let has_default = options.absent(ty).is_some();
            let always = options.required;
            let required = quote!(#always || (!#has_default && <#ty as ::lang::decode::block::FromBlocks>::REQUIRED));
            (kind, required, quote!(::std::option::Option::None))
        }
        Role::Label => (quote!(::lang::decode::FieldKind::Label), quote!(true), quote!(::std::option::Option::None)),
        Role::Squash => (
            quote!(::lang::decode::FieldKind::Squash(<#ty as ::lang::decode::FromBlock>::schema)),
            quote!(false),
            quote!(::std::option::Option::None),
        ),
    };
    quote! {
        ::lang::decode::Field { name: #name, kind: #kind, required: #required, default: #default, doc: #doc }
    }
}

fn take_attribute(member: &Member<'_>) -> Option<TokenStream> {
    let Member { ident, ty, .. } = member;
    let name = member.name();
    match member.role {
        Role::Attr(_) => Some(quote! {
            if name == #name {
                self.#ident = ::std::option::Option::Some(<#ty as ::lang::decode::FromValue>::from_value(value)?);
                return ::std::result::Result::Ok(true);
            }
        }),
        Role::Squash => Some(quote! {
            if ::lang::decode::block::Builder::attribute(&mut self.#ident, name, value)? {
                return ::std::result::Result::Ok(true);
            }
        }),
        _ => None,
    }
}

fn take_block(member: &Member<'_>) -> Option<TokenStream> {
    let Member { ident, ty, .. } = member;
    let name = member.name();
    match member.role {
        Role::Block(_) => Some(quote! {
            if name == #name {
                <#ty as ::lang::decode::block::FromBlocks>::add(&mut self.#ident, block, scope)?;
                return ::std::result::Result::Ok(true);
            }
        }),
        Role::Squash => Some(quote! {
            if ::lang::decode::block::Builder::block(&mut self.#ident, name, block, scope)? {
                return ::std::result::Result::Ok(true);
            }
        }),
        _ => None,
    }
}

fn take_label(member: &Member<'_>) -> Option<TokenStream> {
    let ident = member.ident;
    match member.role {
        Role::Label => Some(quote!(self.#ident = ::std::option::Option::Some(label.into());)),
        Role::Squash => Some(quote!(::lang::decode::block::Builder::label(&mut self.#ident, label);)),
        _ => None,
    }
}

/// The value of one field, if it is known and there, bound to its name.
fn field(member: &Member<'_>) -> TokenStream {
    let Member { ident, ty, .. } = member;
    let name = member.name();
    let none = quote!(::std::option::Option::None);
    let some = |absent: TokenStream| quote!(::std::option::Option::Some(#absent));
    match &member.role {
        Role::Attr(options) => {
            let absent = options.absent(ty).map_or(none, some);
            quote!(let #ident = __verdict.field("attribute", #name, self.#ident, || #absent);)
        }
        Role::Block(options) => {
            let absent = match options.absent(ty) {
                Some(absent) => some(absent),
                None if options.required => none,
                None => quote!(<#ty as ::lang::decode::block::FromBlocks>::absent()),
            };
            quote!(let #ident = __verdict.field("block", #name, self.#ident, || #absent);)
        }
        Role::Label => quote!(let #ident = ::std::option::Option::Some(self.#ident.unwrap_or_default());),
        Role::Squash => quote!(let #ident = ::lang::decode::block::Builder::conclude(self.#ident, __verdict);),
    }
}

/// Asks a rule whose fields are known.
fn ask(rule: &Rule) -> TokenStream {
    let Rule { path, fields } = rule;
    quote! {
        if let (#(::std::option::Option::Some(#fields),)*) = (#(&#fields,)*) {
            __verdict.rule(#path(#(#fields),*));
        }
    }
}
