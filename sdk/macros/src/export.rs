//! `export!`.

use larder_abi::{Kind, MANIFEST_SECTION, VALUE_PREFIX_BYTES_MAX, export};
use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned;
use syn::{Error, Ident, LitInt, LitStr, Token, Type};

use crate::json;

const NAME_BYTES_MAX: usize = 64;

/// What the macro was called with.
pub(crate) struct Export {
    name: String,
    about: String,
    /// In the order of [`Kind::ALL`].
    kinds: Vec<(Kind, Type)>,
    value_prefix_bytes: usize,
}

impl Parse for Export {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let (mut name, mut about, mut prefix) = (None, None, None);
        let mut kinds: Vec<(Kind, Type)> = Vec::new();
        let mut seen: Vec<Ident> = Vec::new();
        while !input.is_empty() {
            let key: Ident = input.parse()?;
            input.parse::<Token![:]>()?;
            if seen.contains(&key) {
                return Err(Error::new(key.span(), format!("`{key}` is said twice")));
            }
            let text = key.to_string();
            match (text.as_str(), Kind::from_name(&text)) {
                (_, Some(kind)) => kinds.push((kind, input.parse()?)),
                ("name", _) => name = Some(policy_name(&input.parse()?)?),
                ("about", _) => about = Some(input.parse::<LitStr>()?.value()),
                ("value_prefix_bytes", _) => prefix = Some(prefix_bytes(&input.parse()?)?),
                _ => {
                    let message = "expected name, about, eviction, should_cache, ttl, priority, \
                                   security or value_prefix_bytes";
                    return Err(Error::new(key.span(), message));
                }
            }
            seen.push(key);
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        let missing = |what: &str| Error::new(Span::call_site(), format!("`{what}` is missing"));
        if kinds.is_empty() {
            return Err(missing(
                "eviction: …, should_cache: …, ttl: …, priority: … or security: …",
            ));
        }
        kinds.sort_by_key(|(kind, _)| *kind);
        Ok(Self {
            name: name.ok_or_else(|| missing("name: \"…\""))?,
            about: about.ok_or_else(|| missing("about: \"…\""))?,
            kinds,
            value_prefix_bytes: prefix.unwrap_or(0),
        })
    }
}

fn policy_name(name: &LitStr) -> syn::Result<String> {
    let text = name.value();
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    if text.is_empty() || text.len() > NAME_BYTES_MAX || !text.chars().all(fits) {
        let message = "the name of a policy is 1 to 64 of a-z, 0-9, _ and -";
        return Err(Error::new(name.span(), message));
    }
    Ok(text)
}

fn prefix_bytes(bytes: &LitInt) -> syn::Result<usize> {
    let count = bytes.base10_parse()?;
    if count > VALUE_PREFIX_BYTES_MAX {
        let message = format!("a policy sees at most {VALUE_PREFIX_BYTES_MAX} bytes of a value");
        return Err(Error::new(bytes.span(), message));
    }
    Ok(count)
}

impl Export {
    pub(crate) fn expand(&self) -> TokenStream {
        let manifest = self.manifest();
        let checks = self.checks();
        let guest = self.guest();
        quote! {
            #manifest
            #checks
            #guest
        }
    }

    fn manifest(&self) -> TokenStream {
        let kinds: Vec<_> = self
            .kinds
            .iter()
            .map(|(kind, _)| kind.name().to_owned())
            .collect();
        let head = format!("{{\"name\":{},\"version\":\"", json::string(&self.name));
        let middle = format!(
            "\",\"about\":{},\"kinds\":{},\"wants_misses\":",
            json::string(&self.about),
            json::strings(&kinds),
        );
        let between = ",\"wants_reuse\":";
        let tail = format!(
            ",\"value_prefix_bytes\":{},\"parameters\":",
            self.value_prefix_bytes
        );
        let wants = |what: TokenStream| match self.kinds.first() {
            Some((Kind::Eviction, policy)) => {
                quote!(if <#policy as ::larder_sdk::Eviction>::#what { "true" } else { "false" })
            }
            _ => quote!("false"),
        };
        let wants_misses = wants(quote!(WANTS_MISSES));
        let wants_reuse = wants(quote!(WANTS_REUSE));
        let first = &self.kinds[0].1;
        quote! {
            /// What the policy tells of itself: its manifest, JSON.
            pub const MANIFEST: &str = {
                const PARTS: &[&str] = &[
                    #head,
                    ::core::env!("CARGO_PKG_VERSION"),
                    #middle,
                    #wants_misses,
                    #between,
                    #wants_reuse,
                    #tail,
                    <<#first as ::larder_sdk::Policy>::Parameters as ::larder_sdk::Parameters>::MANIFEST,
                    "}",
                ];
                const BYTES: [u8; ::larder_sdk::manifest::length(PARTS)] =
                    ::larder_sdk::manifest::join(PARTS);
                ::larder_sdk::manifest::text(&BYTES)
            };
        }
    }

    /// What has to hold for the exports to compile, so that it is told on any target and names the
    /// type at fault.
    fn checks(&self) -> TokenStream {
        let first = &self.kinds[0].1;
        let checks = self.kinds.iter().map(|(kind, policy)| {
            let name = match kind {
                Kind::Eviction => "Eviction",
                Kind::ShouldCache => "ShouldCache",
                Kind::Ttl => "Ttl",
                Kind::Priority => "Priority",
                Kind::Security => "Security",
            };
            let wanted = Ident::new(name, policy.span());
            quote_spanned! {policy.span()=>
                const _: fn() = || {
                    fn check<P>()
                    where
                        P: ::larder_sdk::#wanted,
                        P: ::larder_sdk::Policy<Parameters = <#first as ::larder_sdk::Policy>::Parameters>,
                    {
                    }
                    check::<#policy>();
                };
            }
        });
        quote!(#(#checks)*)
    }

    fn guest(&self) -> TokenStream {
        let marker = format_ident!("{}", export::MARKER);
        let buffer = format_ident!("{}", export::BUFFER);
        let init = format_ident!("{}", export::INIT);
        let cells: Vec<_> = self
            .kinds
            .iter()
            .map(|(kind, _)| format_ident!("{}", kind.name().to_uppercase()))
            .collect();
        let policies = self.kinds.iter().map(|(_, policy)| policy);
        let variants = self.kinds.iter().map(|(kind, _)| format_ident!("{kind:?}"));
        let calls = self
            .kinds
            .iter()
            .zip(&cells)
            .map(|((kind, _), cell)| calls(*kind, cell));
        quote! {
            #[cfg(target_arch = "wasm32")]
            const _: () = {
                use ::larder_sdk::guest;

                ::std::thread_local! {
                    #(static #cells: guest::Guest<#policies> = const { guest::Guest::new() };)*
                }

                #[used]
                #[unsafe(link_section = #MANIFEST_SECTION)]
                static SECTION: [u8; MANIFEST.len()] = ::larder_sdk::manifest::join(&[MANIFEST]);

                #[unsafe(no_mangle)]
                extern "C" fn #marker() {}

                #[unsafe(no_mangle)]
                extern "C" fn #buffer(bytes: u32) -> u32 {
                    guest::buffer(bytes)
                }

                #[unsafe(no_mangle)]
                extern "C" fn #init(bytes: u32) -> u32 {
                    guest::init(bytes, |setup| {
                        #(#cells.with(|guest| guest.make(::larder_sdk::Kind::#variants, setup))?;)*
                        ::core::result::Result::Ok(())
                    })
                }

                #(#calls)*
            };
        }
    }
}

/// The functions of one kind.
fn calls(kind: Kind, cell: &Ident) -> TokenStream {
    let call = |name: &str, argument: &str, answer: Option<&str>| {
        let function = format_ident!("{name}");
        let glue = format_ident!("{}", name.trim_start_matches("larder_"));
        let argument = format_ident!("{argument}");
        let answer = answer.map(|answer| {
            let answer = format_ident!("{answer}");
            quote!(-> #answer)
        });
        quote! {
            #[unsafe(no_mangle)]
            extern "C" fn #function(#argument: u32) #answer {
                #cell.with(|guest| guest::#glue(guest, #argument))
            }
        }
    };
    match kind {
        Kind::Eviction => {
            let events = call(export::EVENTS, "count", None);
            let victims = call(export::VICTIMS, "bytes", Some("u64"));
            quote!(#events #victims)
        }
        Kind::ShouldCache => call(export::SHOULD_CACHE, "bytes", Some("u32")),
        Kind::Ttl => call(export::TTL, "bytes", Some("i64")),
        Kind::Priority => call(export::PRIORITY, "bytes", Some("u32")),
        Kind::Security => call(export::SECURITY, "bytes", Some("u32")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_call_is_refused_with_a_reason() {
        for (input, reason) in [
            ("name: \"a\", about: \"b\"", "is missing"),
            ("about: \"b\", ttl: T", "`name: \"…\"` is missing"),
            ("name: \"a\", ttl: T", "`about: \"…\"` is missing"),
            ("name: \"A\", about: \"b\", ttl: T", "the name of a policy"),
            ("name: \"a\", about: \"b\", tll: T", "expected name, about"),
            ("name: \"a\", name: \"b\"", "said twice"),
            ("value_prefix_bytes: 4097", "at most 4096 bytes"),
        ] {
            let error = syn::parse_str::<Export>(input).err();
            let error = error.map_or(String::new(), |error| error.to_string());
            assert!(error.contains(reason), "{input}: {error}");
        }
    }

    #[test]
    fn kinds_are_listed_in_one_order_and_only_they_are_exported() {
        let input = "name: \"a\", about: \"\\\"b\\\"\", priority: P, ttl: T,";
        let tokens = syn::parse_str::<Export>(input)
            .unwrap()
            .expand()
            .to_string();
        assert!(
            tokens.contains(r#"\"kinds\":[\"ttl\",\"priority\"]"#),
            "{tokens}"
        );
        assert!(tokens.contains("larder_ttl") && tokens.contains("larder_priority"));
        assert!(!tokens.contains("larder_events") && !tokens.contains("larder_should_cache"));
    }
}
