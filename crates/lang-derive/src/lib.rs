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
