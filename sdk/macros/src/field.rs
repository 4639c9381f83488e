//! One parameter: its type, and the values that its attribute gives.

use larder_abi::units;
use proc_macro2::TokenStream;
use quote::quote;
use syn::{Error, Expr, ExprLit, ExprUnary, GenericArgument, Lit, PathArguments, Type, UnOp};

use crate::json;

const TYPES: &str = "a parameter is one of u8 to u64, i8 to i64, f64, bool, String, Vec<String>, \
                     std::time::Duration and larder_sdk::Size";

/// The types of parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    /// With the range of the field's type.
    Int(i128, i128),
    Float,
    Bool,
    Text,
    List,
    Duration,
    Size,
}

/// A value of a parameter.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Int(i128),
    Float(f64),
    Bool(bool),
    Text(String),
    List(Vec<String>),
}

impl Kind {
    pub(crate) fn of(field: &Type) -> syn::Result<Self> {
        let unknown = || Error::new_spanned(field, TYPES);
        let Type::Path(path) = field else {
            return Err(unknown());
        };
        let last = path.path.segments.last().ok_or_else(unknown)?;
        // A whole number travels as i64.
        let int = |bits: u32| Self::Int(-(1 << (bits - 1)), (1 << (bits - 1)) - 1);
        let natural = |bits: u32| Self::Int(0, ((1 << bits) - 1).min(i128::from(i64::MAX)));
        Ok(match last.ident.to_string().as_str() {
            "u8" => natural(8),
            "u16" => natural(16),
            "u32" => natural(32),
            "u64" => natural(64),
            "i8" => int(8),
            "i16" => int(16),
            "i32" => int(32),
            "i64" => int(64),
            "f64" => Self::Float,
            "bool" => Self::Bool,
            "String" => Self::Text,
            "Vec" if holds_strings(&last.arguments) => Self::List,
            "Duration" => Self::Duration,
            "Size" => Self::Size,
            _ => return Err(unknown()),
        })
    }

    /// Its name in manifests.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Int(..) => "int",
            Self::Float => "float",
            Self::Bool => "bool",
            Self::Text => "text",
            Self::List => "list",
            Self::Duration => "duration",
            Self::Size => "size",
        }
    }

    /// The range that the type of the field sets.
    pub(crate) fn range(self) -> Option<(Value, Value)> {
        match self {
            Self::Int(min, max) => Some((Value::Int(min), Value::Int(max))),
            _ => None,
        }
    }

    /// Whether values have an order, so that `min` and `max` mean something.
    pub(crate) fn is_ordered(self) -> bool {
        !matches!(self, Self::Bool | Self::Text | Self::List)
    }

    /// The value that `expr` writes.
    pub(crate) fn value(self, expr: &Expr) -> syn::Result<Value> {
        let value = match (self, literal(expr)) {
            (Self::Int(..), Some(Value::Int(int))) => Some(Value::Int(int)),
            (Self::Float, Some(Value::Int(int))) => Some(Value::Float(int as f64)),
            (Self::Float, Some(Value::Float(float))) => {
                Some(Value::Float(float)).filter(|_| float.is_finite())
            }
            (Self::Bool, Some(Value::Bool(bool))) => Some(Value::Bool(bool)),
            (Self::Text, Some(Value::Text(text))) => Some(Value::Text(text)),
            (Self::List, Some(Value::List(list))) => Some(Value::List(list)),
            (Self::Duration, Some(Value::Text(text))) => quantity(units::duration_ms(&text)),
            (Self::Size, Some(Value::Text(text))) => quantity(units::size_bytes(&text)),
            _ => None,
        };
        let wanted = match self {
            Self::Int(..) => "a whole number, such as 10",
            Self::Float => "a finite number, such as 0.5",
            Self::Bool => "true or false",
            Self::Text => "a text, such as \"x\"",
            Self::List => "a list of texts, such as [] or [\"x\", \"y\"]",
            Self::Duration => "a duration with its unit, such as \"30s\"",
            Self::Size => "a size with its unit, such as \"4KiB\"",
        };
        value.ok_or_else(|| Error::new_spanned(expr, format!("expected {wanted}")))
    }

    /// An expression of the field's type for `value`, which was made from `expr`.
    pub(crate) fn expression(self, value: &Value, expr: &Expr) -> TokenStream {
        match (self, value) {
            (Self::Text, _) => quote!(::std::string::String::from(#expr)),
            (Self::List, Value::List(items)) => {
                quote!(<[&str]>::iter(&[#(#items),*]).copied().map(::std::string::String::from).collect())
            }
            (Self::Float, Value::Float(float)) => quote!(#float),
            (Self::Duration, Value::Int(ms)) => {
                let ms = *ms as u64;
                quote!(::std::time::Duration::from_millis(#ms))
            }
            (Self::Size, Value::Int(bytes)) => {
                let bytes = *bytes as u64;
                quote!(::larder_sdk::Size(#bytes))
            }
            _ => quote!(#expr),
        }
    }
}

impl Value {
    pub(crate) fn json(&self) -> String {
        match self {
            Self::Int(int) => int.to_string(),
            Self::Float(float) => format!("{float:?}"),
            Self::Bool(bool) => bool.to_string(),
            Self::Text(text) => json::string(text),
            Self::List(list) => json::strings(list),
        }
    }

    /// Whether it is no more than `other`, of the same type.
    pub(crate) fn at_most(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Int(one), Self::Int(other)) => one <= other,
            (Self::Float(one), Self::Float(other)) => one <= other,
            _ => true,
        }
    }
}

fn quantity(amount: Option<u64>) -> Option<Value> {
    let amount = i64::try_from(amount?).ok()?;
    Some(Value::Int(amount.into()))
}

fn holds_strings(arguments: &PathArguments) -> bool {
    let PathArguments::AngleBracketed(arguments) = arguments else {
        return false;
    };
    let is_string = |path: &syn::Path| {
        let last = path.segments.last();
        last.is_some_and(|last| last.ident == "String")
    };
    matches!(arguments.args.first(), Some(GenericArgument::Type(Type::Path(item))) if is_string(&item.path))
}

fn literal(expr: &Expr) -> Option<Value> {
    match expr {
        Expr::Lit(ExprLit { lit, .. }) => match lit {
            Lit::Int(int) => int.base10_parse().ok().map(Value::Int),
            Lit::Float(float) => float.base10_parse().ok().map(Value::Float),
            Lit::Bool(bool) => Some(Value::Bool(bool.value)),
            Lit::Str(text) => Some(Value::Text(text.value())),
            _ => None,
        },
        Expr::Unary(ExprUnary {
            op: UnOp::Neg(_),
            expr,
            ..
        }) => match literal(expr)? {
            Value::Int(int) => Some(Value::Int(-int)),
            Value::Float(float) => Some(Value::Float(-float)),
            _ => None,
        },
        Expr::Array(array) => {
            let items = array.elems.iter().map(|item| match literal(item) {
                Some(Value::Text(text)) => Some(text),
                _ => None,
            });
            items.collect::<Option<_>>().map(Value::List)
        }
        _ => None,
    }
}
