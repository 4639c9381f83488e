//! What can be set beside a policy.

use std::time::Duration;

use crate::{Setup, Value};

/// The parameters of a policy: a struct, by [`#[derive(Parameters)]`](macro@crate::Parameters).
///
/// ```
/// use std::time::Duration;
/// use larder_sdk::{Parameters, Size};
///
/// #[derive(larder_sdk::Parameters)]
/// struct Limits {
///     /// Part of the memory for new entries, in percent.
///     #[parameter(default = 10, min = 1, max = 90)]
///     small_percent: u64,
///     /// How long new entries are safe.
///     #[parameter(default = "30s")]
///     grace: Duration,
///     /// The largest value that is kept.
///     #[parameter(default = "1MiB")]
///     largest: Size,
///     /// Types that are never kept.
///     #[parameter(default = ["session"])]
///     never: Vec<String>,
/// }
///
/// assert_eq!(Limits::default().largest, Size(1_048_576));
/// assert!(Limits::MANIFEST.starts_with(
///     r#"[{"name":"small_percent","type":"int","default":10,"min":1,"max":90,"about":"#
/// ));
/// ```
pub trait Parameters: Default {
    /// What the manifest says of them: a JSON array.
    const MANIFEST: &'static str;

    /// What the host says they are; the default for those of which it says nothing.
    fn read(setup: &Setup<'_>) -> Self;
}

impl Parameters for () {
    const MANIFEST: &'static str = "[]";

    fn read(_setup: &Setup<'_>) -> Self {}
}

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Size(pub u64);

/// A type that a parameter can have.
pub trait Parameter: Sized {
    /// The parameter, if `value` is of its type and in its range.
    fn from_value(value: Value) -> Option<Self>;
}

macro_rules! whole_numbers {
    ($($number:ty),*) => {$(
        impl Parameter for $number {
            fn from_value(value: Value) -> Option<Self> {
                match value {
                    Value::Int(int) => int.try_into().ok(),
                    _ => None,
                }
            }
        }
    )*};
}

whole_numbers!(u8, u16, u32, u64, i8, i16, i32, i64);

impl Parameter for f64 {
    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Float(float) => Some(float),
            _ => None,
        }
    }
}

impl Parameter for bool {
    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Bool(bool) => Some(bool),
            _ => None,
        }
    }
}

impl Parameter for String {
    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl Parameter for Vec<String> {
    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::List(items) => Some(items),
            _ => None,
        }
    }
}

impl Parameter for Duration {
    fn from_value(value: Value) -> Option<Self> {
        u64::from_value(value).map(Self::from_millis)
    }
}

impl Parameter for Size {
    fn from_value(value: Value) -> Option<Self> {
        u64::from_value(value).map(Self)
    }
}

/// The parameter with that place in the manifest, `default` where the host says nothing that fits.
/// For what [`macro@crate::Parameters`] generates.
#[doc(hidden)]
pub fn read<T: Parameter>(setup: &Setup<'_>, index: usize, default: T) -> T {
    setup
        .parameter(index)
        .and_then(T::from_value)
        .unwrap_or(default)
}

#[cfg(test)]
mod tests {
    use super::*;
    use larder_abi::{Kinds, write_setup};

    #[derive(Debug, PartialEq, crate::Parameters)]
    struct Every {
        #[parameter(default = 7)]
        small: u8,
        /// Two lines
        /// of "text".
        #[parameter(default = -5, min = -10, max = 10)]
        signed: i64,
        #[parameter(default = 1, min = 0.25)]
        float: f64,
        #[parameter(default = true)]
        flag: bool,
        #[parameter(default = "")]
        text: String,
        #[parameter(default = [])]
        list: Vec<String>,
        #[parameter(default = "1500ms", max = "2s")]
        time: Duration,
        #[parameter(default = "4KiB")]
        size: Size,
    }

    #[test]
    fn the_manifest_says_all() {
        let expected = [
            r#"[{"name":"small","type":"int","default":7,"min":0,"max":255,"about":""}"#,
            r#"{"name":"signed","type":"int","default":-5,"min":-10,"max":10,"about":"Two lines of \"text\"."}"#,
            r#"{"name":"float","type":"float","default":1.0,"min":0.25,"about":""}"#,
            r#"{"name":"flag","type":"bool","default":true,"about":""}"#,
            r#"{"name":"text","type":"text","default":"","about":""}"#,
            r#"{"name":"list","type":"list","default":[],"about":""}"#,
            r#"{"name":"time","type":"duration","default":1500,"max":2000,"about":""}"#,
            r#"{"name":"size","type":"size","default":4096,"about":""}]"#,
        ];
        assert_eq!(Every::MANIFEST, expected.join(","));
        assert_eq!(<() as Parameters>::MANIFEST, "[]");
    }

    #[test]
    fn what_the_host_says_is_read_and_the_rest_is_default() {
        let values = [
            Value::Int(9),
            Value::Int(-9),
            Value::Float(0.5),
            Value::Bool(false),
            Value::Text("x".into()),
            Value::List(vec!["y".into()]),
            Value::Int(20),
            Value::Int(30),
        ];
        let read = |values: &[Value]| {
            let record = write_setup(Kinds::NONE, 1, values);
            Every::read(&Setup::new(&record))
        };
        let all = Every {
            small: 9,
            signed: -9,
            float: 0.5,
            flag: false,
            text: "x".into(),
            list: vec!["y".into()],
            time: Duration::from_millis(20),
            size: Size(30),
        };
        assert_eq!(read(&values), all);
        let first = Every {
            small: 9,
            ..Every::default()
        };
        assert_eq!(read(&values[..1]), first);
        // Neither a number out of the type's range nor another type is taken.
        assert_eq!(
            read(&[Value::Int(256), Value::Bool(true)]),
            Every::default()
        );
    }
}
