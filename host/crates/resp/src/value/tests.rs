use super::*;

fn text(text: &str) -> String {
    text.into()
}

fn bulk(bytes: &[u8]) -> Value {
    Value::Bulk(Some(bytes.to_vec()))
}

#[track_caller]
fn decodes(input: &[u8], expected: Value) {
    let limits = Limits::default();
    assert_eq!(decode(input, &limits), Ok(Some((expected, input.len()))));
    for cut in 0..input.len() {
        assert_eq!(decode(&input[..cut], &limits), Ok(None), "cut at {cut}");
    }
}

#[track_caller]
fn refuses(input: &[u8], error: ProtocolError) {
    let limits = Limits {
        bulk_bytes_max: 100,
        args_max: 10,
        inline_bytes_max: 40,
        ..Limits::default()
    };
    assert_eq!(decode(input, &limits), Err(error));
}

#[test]
fn scalars() {
    decodes(b"+OK\r\n", Value::Simple(text("OK")));
    decodes(b"-ERR no\r\n", Value::Error(text("ERR no")));
    decodes(b"!6\r\nERR\r\nx\r\n", Value::Error(text("ERR\r\nx")));
    decodes(b":-12\r\n", Value::Integer(-12));
    decodes(b":+12\r\n", Value::Integer(12));
    decodes(b"$3\r\na\r\n\r\n", bulk(b"a\r\n"));
    decodes(b"$0\r\n\r\n", bulk(b""));
    decodes(b"$-1\r\n", Value::Bulk(None));
    decodes(b"*-1\r\n", Value::NullArray);
    decodes(b"_\r\n", Value::Null);
    decodes(b",1.5\r\n", Value::Double(1.5));
    decodes(b",-inf\r\n", Value::Double(f64::NEG_INFINITY));
    decodes(b",1.5e+300\r\n", Value::Double(1.5e300));
    decodes(b"#t\r\n", Value::Boolean(true));
    decodes(b"#f\r\n", Value::Boolean(false));
    decodes(b"=7\r\ntxt:a\nb\r\n", Value::Verbatim(text("a\nb")));
    decodes(
        b"(-123456789012345678901234567890\r\n",
        Value::BigNumber(text("-123456789012345678901234567890")),
    );
}

#[test]
fn aggregates() {
    let pair = vec![Value::Integer(1), bulk(b"a")];
    decodes(b"*0\r\n", Value::Array(vec![]));
    decodes(b"*2\r\n:1\r\n$1\r\na\r\n", Value::Array(pair.clone()));
    decodes(b"~2\r\n:1\r\n$1\r\na\r\n", Value::Set(pair.clone()));
    decodes(b">2\r\n:1\r\n$1\r\na\r\n", Value::Push(pair.clone()));
    decodes(
        b"%2\r\n:1\r\n$1\r\na\r\n+k\r\n*1\r\n_\r\n",
        Value::Map(vec![
            (Value::Integer(1), bulk(b"a")),
            (Value::Simple(text("k")), Value::Array(vec![Value::Null])),
        ]),
    );
}

#[test]
fn attributes_are_skipped() {
    decodes(
        b"|1\r\n+ttl\r\n*1\r\n:9\r\n+OK\r\n",
        Value::Simple(text("OK")),
    );
    decodes(
        b"*2\r\n|1\r\n+a\r\n+b\r\n|0\r\n:1\r\n:2\r\n",
        Value::Array(vec![Value::Integer(1), Value::Integer(2)]),
    );
}

#[test]
fn only_the_first_reply_is_taken() {
    let decoded = decode(b":1\r\n:2\r\n", &Limits::default());
    assert_eq!(decoded, Ok(Some((Value::Integer(1), 4))));
}

#[test]
fn what_is_no_reply_is_refused() {
    refuses(b"x", ProtocolError::UnknownReplyType(b'x'));
    refuses(b".\r\n", ProtocolError::UnknownReplyType(b'.'));
    for input in [
        ":1x\r\n",
        ",x\r\n",
        "#x\r\n",
        "(1a\r\n",
        "_x\r\n",
        "=3\r\nabc\r\n",
        "$1\r\nabc",
        "$-2\r\n",
        "*-2\r\n",
        "%-1\r\n",
        "=-1\r\n",
        "$x\r\n",
        "+a\rb\r\n",
    ] {
        refuses(
            input.as_bytes(),
            ProtocolError::InvalidReply(input.as_bytes()[0]),
        );
    }
}

#[test]
fn streamed_replies_are_refused() {
    for input in ["$?\r\n", "*?\r\n", "%?\r\n", "~?\r\n", ">?\r\n"] {
        refuses(input.as_bytes(), ProtocolError::StreamedReply);
    }
}

#[test]
fn limits_hold_before_the_bytes_come() {
    refuses(b"$101\r\n", ProtocolError::InvalidReply(b'$'));
    refuses(b"*11\r\n", ProtocolError::InvalidReply(b'*'));
    refuses(b"%11\r\n", ProtocolError::InvalidReply(b'%'));
    refuses(
        b"$99999999999999999999\r\n",
        ProtocolError::InvalidReply(b'$'),
    );
    refuses(&[b'+'; 41], ProtocolError::TooBigReplyLine);
    let unlimited = Limits {
        bulk_bytes_max: usize::MAX,
        args_max: usize::MAX,
        ..Limits::default()
    };
    for claim in [
        "$9223372036854775807\r\n",
        "%9223372036854775807\r\n",
        "*9223372036854775807\r\n",
    ] {
        assert_eq!(decode(claim.as_bytes(), &unlimited), Ok(None));
    }
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize| ["*1\r\n".repeat(depth), ":1\r\n".into()].concat();
    let limits = Limits::default();
    assert!(matches!(
        decode(nested(DEPTH_MAX).as_bytes(), &limits),
        Ok(Some(_))
    ));
    refuses(
        nested(DEPTH_MAX + 1).as_bytes(),
        ProtocolError::NestedTooDeep,
    );
    refuses(
        "|1\r\n".repeat(DEPTH_MAX + 1).as_bytes(),
        ProtocolError::NestedTooDeep,
    );
}
