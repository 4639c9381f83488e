//! `#[derive(Parameters)]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;
use syn::{Attribute, Data, DeriveInput, Error, Expr, ExprLit, Field, Fields, Ident, Lit, Meta};

use crate::field::{Kind, Value};
use crate::json;

const NAME_BYTES_MAX: usize = 64;

/// A field as the generated code needs it.
struct Parameter<'a> {
    ident: &'a Ident,
    default: TokenStream,
    manifest: String,
}

pub(crate) fn derive(input: &DeriveInput) -> syn::Result<TokenStream> {
    let fields = named_fields(input)?;
    let mut parameters = Vec::new();
    let mut errors: Option<Error> = None;
    for field in fields {
        match parameter(field) {
            Ok(parameter) => parameters.push(parameter),
            Err(error) => match &mut errors {
                Some(errors) => errors.combine(error),
                None => errors = Some(error),
            },
        }
    }
    if let Some(errors) = errors {
        return Err(errors);
    }
    let name = &input.ident;
    let idents: Vec<_> = parameters.iter().map(|it| it.ident).collect();
    let defaults = parameters.iter().map(|it| &it.default);
    let items: Vec<_> = parameters.iter().map(|it| it.manifest.as_str()).collect();
    let manifest = format!("[{}]", items.join(","));
    let indices = 0..idents.len();
    Ok(quote! {
        impl ::core::default::Default for #name {
            fn default() -> Self {
                Self { #(#idents: #defaults),* }
            }
        }

        impl ::larder_sdk::Parameters for #name {
            const MANIFEST: &'static str = #manifest;

            fn read(setup: &::larder_sdk::Setup<'_>) -> Self {
                let default = <Self as ::core::default::Default>::default();
                Self {
                    #(#idents: ::larder_sdk::parameters::read(setup, #indices, default.#idents)),*
                }
            }
        }
    })
}

/// The errors, with an implementation beside them: without one the compiler would add that there is
/// none, wherever it is needed.
pub(crate) fn stand_in(input: &DeriveInput, error: Error) -> TokenStream {
    let name = &input.ident;
    let (generics, arguments, bounds) = input.generics.split_for_impl();
    let errors = error.into_compile_error();
    quote! {
        #errors

        impl #generics ::core::default::Default for #name #arguments #bounds {
            fn default() -> Self {
                ::core::unreachable!()
            }
        }

        impl #generics ::larder_sdk::Parameters for #name #arguments #bounds {
            const MANIFEST: &'static str = "[]";

            fn read(_setup: &::larder_sdk::Setup<'_>) -> Self {
                ::core::unreachable!()
            }
        }
    }
}

fn named_fields(input: &DeriveInput) -> syn::Result<impl Iterator<Item = &Field>> {
    if !input.generics.params.is_empty() {
        let message = "parameters have no generics: the manifest is one text";
        return Err(Error::new_spanned(&input.generics, message));
    }
    match &input.data {
        Data::Struct(data) if matches!(data.fields, Fields::Named(_)) => Ok(data.fields.iter()),
        _ => Err(Error::new_spanned(
            &input.ident,
            "parameters are a struct with named fields; a policy without parameters says \
             `type Parameters = ();`",
        )),
    }
}

fn parameter(field: &Field) -> syn::Result<Parameter<'_>> {
    let ident = field.ident.as_ref().expect("the fields are named");
    let name = ident.unraw().to_string();
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if name.len() > NAME_BYTES_MAX || !name.chars().all(fits) {
        let message = "the name of a parameter is 1 to 64 of a-z, 0-9 and _";
        return Err(Error::new_spanned(ident, message));
    }
    let kind = Kind::of(&field.ty)?;
    let Given { default, min, max } = Given::of(&field.attrs)?;
    let Some(expr) = default else {
        let message = format!(
            "parameter `{name}` needs a default: write `#[parameter(default = …)]` above it"
        );
        return Err(Error::new_spanned(ident, message));
    };
    let default = kind.value(&expr)?;
    let (min, max) = (bound(kind, min.as_ref())?, bound(kind, max.as_ref())?);
    let (least, most) = kind.range().unzip();
    for (low, high) in [(&least, &min), (&max, &most), (&min, &max)] {
        if let (Some(low), Some(high)) = (low, high)
            && !low.at_most(high)
        {
            let (low, high) = (low.json(), high.json());
            let message = format!("nothing is between {low} and {high}, or the type holds less");
            return Err(Error::new_spanned(ident, message));
        }
    }
    let (min, max) = (min.or(least), max.or(most));
    let low = min.as_ref().is_none_or(|min| min.at_most(&default));
    let high = max.as_ref().is_none_or(|max| default.at_most(max));
    if !(low && high) {
        let message = "the default is out of the range of `min`, `max` and the field's type";
        return Err(Error::new_spanned(&expr, message));
    }
    let mut manifest = format!(
        "{{\"name\":{},\"type\":\"{}\",\"default\":{}",
        json::string(&name),
        kind.name(),
        default.json()
    );
    for (key, bound) in [("min", &min), ("max", &max)] {
        if let Some(bound) = bound {
            manifest.push_str(&format!(",\"{key}\":{}", bound.json()));
        }
    }
    manifest.push_str(&format!(
        ",\"about\":{}}}",
        json::string(&about(&field.attrs))
    ));
    Ok(Parameter {
        ident,
        default: kind.expression(&default, &expr),
        manifest,
    })
}

fn bound(kind: Kind, expr: Option<&Expr>) -> syn::Result<Option<Value>> {
    match expr {
        Some(expr) if !kind.is_ordered() => {
            let message = format!("a {} has no `min` or `max`", kind.name());
            Err(Error::new_spanned(expr, message))
        }
        Some(expr) => kind.value(expr).map(Some),
        None => Ok(None),
    }
}

/// What the attributes of a field say.
#[derive(Default)]
struct Given {
    default: Option<Expr>,
    min: Option<Expr>,
    max: Option<Expr>,
}

impl Given {
    fn of(attributes: &[Attribute]) -> syn::Result<Self> {
        let mut given = Self::default();
        let ours = |attribute: &&Attribute| attribute.path().is_ident("parameter");
        for attribute in attributes.iter().filter(ours) {
            attribute.parse_nested_meta(|meta| {
                let place = match meta.path.get_ident().map(Ident::to_string).as_deref() {
                    Some("default") => &mut given.default,
                    Some("min") => &mut given.min,
                    Some("max") => &mut given.max,
                    _ => return Err(meta.error("expected `default`, `min` or `max`")),
                };
                if place.is_some() {
                    return Err(meta.error("this is said twice"));
                }
                *place = Some(meta.value()?.parse()?);
                Ok(())
            })?;
        }
        Ok(given)
    }
}

/// The doc comment, its lines joined.
fn about(attributes: &[Attribute]) -> String {
    let lines = attributes
        .iter()
        .filter_map(|attribute| match &attribute.meta {
            Meta::NameValue(meta) if meta.path.is_ident("doc") => match &meta.value {
                Expr::Lit(ExprLit {
                    lit: Lit::Str(line),
                    ..
                }) => Some(line.value().trim().to_owned()),
                _ => None,
            },
            _ => None,
        });
    lines.collect::<Vec<_>>().join(" ").trim().to_owned()
}

#[cfg(test)]
mod tests;
