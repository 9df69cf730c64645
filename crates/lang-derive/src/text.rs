//! `#[derive(FromText)]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput, Error, Fields, LitStr, Result, Variant};

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let Data::Enum(data) = &input.data else {
        return Err(Error::new_spanned(&input.ident, "FromText reads enums"));
    };
    let name = &input.ident;
    let error = container(input)?;
    let error = error.unwrap_or_else(|| "must be one of {all}, got {text}".to_owned());
    let mut names = Vec::new();
    let mut idents = Vec::new();
    let mut default = None;
    for variant in &data.variants {
        if !matches!(variant.fields, Fields::Unit) {
            return Err(Error::new_spanned(variant, "FromText reads variants without fields"));
        }
        if variant.attrs.iter().any(|attribute| attribute.path().is_ident("default")) {
            default = Some(&variant.ident);
        }
        names.push(variant_name(variant)?);
        idents.push(&variant.ident);
    }
    let null = default.map(|ident| {
        quote! {
            if value.is_null() {
                return ::std::result::Result::Ok(Self::#ident);
            }
        }
    });

    Ok(quote! {
        impl #name {
            /// Every name, in the order of the variants.
            pub const NAMES: &'static [&'static str] = &[#(#names),*];

            /// The name in configurations.
            pub fn as_str(self) -> &'static str {
                match self { #(Self::#idents => #names,)* }
            }
        }

        impl ::std::str::FromStr for #name {
            type Err = ::std::string::String;

            fn from_str(text: &str) -> ::std::result::Result<Self, Self::Err> {
                match text {
                    #(#names => ::std::result::Result::Ok(Self::#idents),)*
                    other => ::std::result::Result::Err(::lang::decode::value::unknown_name(#error, other, Self::NAMES)),
                }
            }
        }

        impl ::lang::decode::FromValue for #name {
            const SHAPE: ::lang::decode::Shape = ::lang::decode::Shape::OneOf(Self::NAMES);

            fn from_value(
                value: &::lang::value::Value,
            ) -> ::std::result::Result<Self, ::lang::value::ValueError> {
                #null
                let text = <::std::string::String as ::lang::decode::FromValue>::from_value(value)?;
                text.parse().map_err(|error: ::std::string::String| ::lang::value::ValueError::new(value, error))
            }
        }

        impl ::lang::decode::IntoValue for #name {
            fn into_value(self) -> ::lang::value::Value {
                self.as_str().into()
            }
        }
    })
}

/// `#[text(error = "…")]` on the enum.
fn container(input: &DeriveInput) -> Result<Option<String>> {
    let mut error = None;
    for attribute in input.attrs.iter().filter(|attribute| attribute.path().is_ident("text")) {
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("error") {
                return Err(meta.error("expected error"));
            }
            error = Some(meta.value()?.parse::<LitStr>()?.value());
            Ok(())
        })?;
    }
    Ok(error)
}

/// `#[text("name")]` on the variant, else its name in lower case with underscores.
fn variant_name(variant: &Variant) -> Result<String> {
    if let Some(attribute) = variant.attrs.iter().find(|attribute| attribute.path().is_ident("text")) {
        return Ok(attribute.parse_args::<LitStr>()?.value());
    }
    let mut name = String::new();
    for c in variant.ident.to_string().chars() {
        if c.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.extend(c.to_lowercase());
    }
    Ok(name)
}
