//! Derives for the configuration language: a struct's fields in, the code that fills it from a block out.
//!
//! ```text
//! #[derive(FromBlock)] struct ──[block]──▶ a builder, its schema, impl lang::decode::FromBlock
//! #[derive(FromText)]  enum   ──[text]───▶ names, impl lang::decode::{FromValue, IntoValue}
//! ```
//!
//! The generated code names `::lang`; a crate that uses the derives depends on `lang` under that name. What the code
//! does at run time is in `lang::decode::block`; here only syntax is decided. `lang::decode` documents the attributes
//! and its tests exercise them.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod block;
mod text;

use proc_macro::TokenStream;

/// Fills a struct from a block. See `lang::decode::block` for what the attributes mean.
#[proc_macro_derive(FromBlock, attributes(attr, block, label, squash))]
pub fn from_block(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as syn::DeriveInput);
    block::expand(&input).unwrap_or_else(|error| error.to_compile_error()).into()
}

/// Reads an enum without fields from a string. See `lang::decode::value` for what the attributes mean.
#[proc_macro_derive(FromText, attributes(text, default))]
pub fn from_text(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as syn::DeriveInput);
    text::expand(&input).unwrap_or_else(|error| error.to_compile_error()).into()
}

/// The text of doc comments, lines joined by line feeds.
fn doc(attributes: &[syn::Attribute]) -> String {
    let lines = attributes.iter().filter(|attribute| attribute.path().is_ident("doc")).filter_map(|attribute| {
        let syn::Meta::NameValue(pair) = &attribute.meta else { return None };
        let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) = &pair.value else { return None };
        Some(text.value().trim().to_owned())
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use syn::parse_quote;

    use super::*;

    #[track_caller]
    fn refused(input: syn::DeriveInput, expect: &str) {
        let error = block::expand(&input).err().or_else(|| text::expand(&input).err());
        assert_eq!(error.map(|error| error.to_string()).as_deref(), Some(expect));
    }

    #[test]
    fn what_a_block_cannot_fill_is_refused() {
        refused(
            parse_quote!(
                struct A {
                    x: u8,
                }
            ),
            "say #[attr], #[block], #[label] or #[squash]",
        );
        refused(
            parse_quote!(
                struct A {
                    #[attr]
                    #[block]
                    x: u8,
                }
            ),
            "a field is one of attr, block, label, squash",
        );
        refused(
            parse_quote!(
                struct A {
                    #[attr(defualt = 1)]
                    x: u8,
                }
            ),
            "expected name, default, default_with, optional or required",
        );
        refused(
            parse_quote!(
                struct A(u8);
            ),
            "FromBlock needs named fields",
        );
        refused(
            parse_quote!(
                struct A<T> {
                    #[attr]
                    x: T,
                }
            ),
            "FromBlock does not read generic structs",
        );
        refused(
            parse_quote!(
                #[block(valid = f)]
                struct A {}
            ),
            "expected rule or validate",
        );
        refused(
            parse_quote!(
                #[block(rule = f(x, y))]
                struct A {
                    #[attr]
                    x: u8,
                }
            ),
            "a rule is about fields of the struct",
        );
        refused(
            parse_quote!(
                #[block(rule = f(1))]
                struct A {}
            ),
            "a rule is about fields of the struct",
        );
        refused(
            parse_quote!(
                enum A {}
            ),
            "FromBlock reads structs; for enums there is FromText",
        );
    }

    #[test]
    fn what_text_cannot_name_is_refused() {
        let error = |input| text::expand(&input).err().map(|error| error.to_string());
        assert_eq!(
            error(parse_quote!(
                struct A;
            ))
            .as_deref(),
            Some("FromText reads enums")
        );
        let with_fields = parse_quote!(
            enum A {
                B(u8),
            }
        );
        assert_eq!(error(with_fields).as_deref(), Some("FromText reads variants without fields"));
    }
}
