use super::*;

fn error_of(input: &str) -> String {
    let input: DeriveInput = syn::parse_str(input).unwrap();
    match derive(&input) {
        Ok(_) => String::from("no error"),
        Err(error) => {
            let errors: Vec<_> = error.into_iter().map(|error| error.to_string()).collect();
            errors.join("; ")
        }
    }
}

#[test]
fn what_cannot_be_a_parameter_is_refused_with_a_reason() {
    for (input, reason) in [
        ("struct P { a: u8 }", "parameter `a` needs a default"),
        (
            "struct P { #[parameter(default = 256)] a: u8 }",
            "the default is out of the range",
        ),
        (
            "struct P { #[parameter(default = 5, min = 6)] a: u8 }",
            "the default is out of the range",
        ),
        (
            "struct P { #[parameter(default = 5, min = 9, max = 3)] a: u8 }",
            "nothing is between 9 and 3",
        ),
        (
            "struct P { #[parameter(default = 5, max = 300)] a: u8 }",
            "nothing is between 300 and 255",
        ),
        (
            "struct P { #[parameter(default = 5)] a: usize }",
            "a parameter is one of",
        ),
        (
            "struct P { #[parameter(default = [])] a: Vec<u8> }",
            "a parameter is one of",
        ),
        (
            "struct P { #[parameter(default = 30)] a: Duration }",
            "such as \"30s\"",
        ),
        (
            "struct P { #[parameter(default = true, max = 1)] a: bool }",
            "a bool has no `min` or `max`",
        ),
        (
            "struct P { #[parameter(default = 1, maximum = 1)] a: u8 }",
            "expected `default`, `min` or `max`",
        ),
        (
            "struct P { #[parameter(default = 1, default = 2)] a: u8 }",
            "said twice",
        ),
        (
            "struct P { #[parameter(default = 1)] A: u8 }",
            "the name of a parameter",
        ),
        ("struct P(u8);", "a struct with named fields"),
        ("enum P { A }", "a struct with named fields"),
        ("struct P<T> { a: T }", "no generics"),
    ] {
        let error = error_of(input);
        assert!(error.contains(reason), "{input}: {error}");
    }
}

#[test]
fn all_errors_are_told_at_once() {
    let error = error_of("struct P { a: u8, b: usize }");
    assert!(
        error.contains("`a` needs") && error.contains("a parameter is one of"),
        "{error}"
    );
}

#[test]
fn a_mistake_is_told_without_others_that_follow_from_it() {
    let input: DeriveInput = syn::parse_str("struct P<T: Clone> { a: T }").unwrap();
    let error = derive(&input).unwrap_err();
    let file: syn::File = syn::parse2(stand_in(&input, error)).unwrap();
    let implemented = file.items.iter().filter_map(|item| match item {
        syn::Item::Impl(item) => item.trait_.as_ref()?.1.segments.last(),
        _ => None,
    });
    let names: Vec<_> = implemented.map(|name| name.ident.to_string()).collect();
    assert_eq!(names, ["Default", "Parameters"]);
    assert!(matches!(file.items[0], syn::Item::Macro(_)), "the error");
}
