//! Texts and lists as JSON.

/// `text` as a JSON string.
pub(crate) fn string(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\0'..='\x1f' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            _ => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A JSON array of strings.
pub(crate) fn strings(texts: &[String]) -> String {
    let items: Vec<_> = texts.iter().map(|text| string(text)).collect();
    format!("[{}]", items.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_json_forbids_is_escaped() {
        assert_eq!(string("a\"b\\c\nd ü"), "\"a\\\"b\\\\c\\u000ad ü\"");
        assert_eq!(strings(&["x".into(), String::new()]), "[\"x\",\"\"]");
    }
}
