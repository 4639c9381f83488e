use super::*;
use crate::encode_command;

fn small_limits() -> Limits {
    Limits {
        bulk_bytes_max: 100,
        args_max: 10,
        inline_bytes_max: 40,
        request_bytes_max: 200,
    }
}

/// The arguments of the first request and the bytes it takes; None for incomplete.
type Outcome = Result<Option<(Vec<Vec<u8>>, usize)>, ProtocolError>;

fn parse_once(parser: &mut RequestParser, input: &[u8]) -> Outcome {
    Ok(match parser.parse(input)? {
        Parsed::Incomplete { needed_bytes } => {
            assert!(needed_bytes > input.len());
            None
        }
        Parsed::Request { args, consumed } => {
            Some((args.iter().map(<[u8]>::to_vec).collect(), consumed))
        }
    })
}

/// Whole, and again byte by byte: both must give `expected`, at the end or, for errors, before.
fn check(input: &[u8], expected: &Outcome) {
    let what = input.escape_ascii().to_string();
    let mut whole = RequestParser::new(small_limits());
    assert_eq!(&parse_once(&mut whole, input), expected, "{what}");

    let mut stepped = RequestParser::new(small_limits());
    let mut last = Ok(None);
    for end in 0..=input.len() {
        last = parse_once(&mut stepped, &input[..end]);
        if last != Ok(None) {
            break;
        }
    }
    assert_eq!(&last, expected, "{what} byte by byte");
}

fn accepts(input: &[u8], args: &[&[u8]], consumed: usize) {
    check(
        input,
        &Ok(Some((
            args.iter().map(|arg| arg.to_vec()).collect(),
            consumed,
        ))),
    );
}

fn refuses(input: &[u8], error: ProtocolError) {
    check(input, &Err(error));
}

#[test]
fn multibulk_requests() {
    accepts(b"*1\r\n$4\r\nPING\r\n", &[b"PING"], 14);
    accepts(b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n*1\r\n", &[b"GET", b"k"], 20);
    accepts(b"*2\r\n$3\r\nGET\r\n$0\r\n\r\n", &[b"GET", b""], 19);
    accepts(b"*1\r\n$4\r\n\r\n\0\xff\r\n", &[b"\r\n\0\xff"], 14);
    accepts(b"*10\r\n$1\r\n0\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n$1\r\n4\r\n$1\r\n5\r\n$1\r\n6\r\n$1\r\n7\r\n$1\r\n8\r\n$1\r\n9\r\n",
        &[b"0", b"1", b"2", b"3", b"4", b"5", b"6", b"7", b"8", b"9"], 75);
}

#[test]
fn empty_requests_are_taken() {
    accepts(b"*0\r\n*1\r\n", &[], 4);
    accepts(b"*-1\r\n", &[], 5);
    accepts(b"*-9223372036854775808\r\n", &[], 23);
    accepts(b"\r\nPING\r\n", &[], 2);
    accepts(b"\n", &[], 1);
    accepts(b"   \r\n", &[], 5);
}

#[test]
fn line_ends_are_skipped_unseen_as_redis_does() {
    accepts(b"*1\rX$2\rYhiZZ", &[b"hi"], 12);
}

#[test]
fn inline_requests() {
    accepts(b"PING\r\nPING\r\n", &[b"PING"], 6);
    accepts(b"PING\n", &[b"PING"], 5);
    accepts(b"SET k \"a\\x00 b\"\r\n", &[b"SET", b"k", b"a\x00 b"], 17);
    accepts(b"$3\r\nabc\r\n", &[b"$3"], 4);
    refuses(b"SET k \"a\r\n", ProtocolError::UnbalancedQuotes);
    refuses(b"SET k 'a'b\r\n", ProtocolError::UnbalancedQuotes);
}

#[test]
fn an_inline_request_may_be_as_long_as_its_limit() {
    let at_limit = [b'a'; 40];
    accepts(&[&at_limit[..], b"\n"].concat(), &[&at_limit], 41);
    accepts(&[&at_limit[1..], b"\r\n"].concat(), &[&at_limit[1..]], 41);
    check(&at_limit, &Ok(None));
    refuses(&[b'a'; 41], ProtocolError::TooBigInline);
    refuses(
        &[&at_limit[..], b"\r\n"].concat(),
        ProtocolError::TooBigInline,
    );
}

#[test]
fn headers_are_strict() {
    for count in [
        "",
        "x",
        "+1",
        "01",
        "1 ",
        "-0",
        "--1",
        "2147483648",
        "99999999999999999999",
        "11",
    ] {
        refuses(
            format!("*{count}\r\n").as_bytes(),
            ProtocolError::InvalidMultibulkLength,
        );
    }
    for length in [
        "",
        "x",
        "+1",
        "01",
        "00",
        "-1",
        "1x",
        "101",
        "99999999999",
        "99999999999999999999",
    ] {
        refuses(
            format!("*1\r\n${length}\r\n").as_bytes(),
            ProtocolError::InvalidBulkLength,
        );
    }
    refuses(b"*1\r\n:1\r\n", ProtocolError::ExpectedBulk(b':'));
    refuses(
        b"*2\r\n$1\r\na\r\nfooz\r\n",
        ProtocolError::ExpectedBulk(b'f'),
    );
}

#[test]
fn headers_without_an_end_are_refused() {
    let digits = "1".repeat(39);
    check(format!("*{digits}").as_bytes(), &Ok(None));
    refuses(
        format!("*{digits}\r\n").as_bytes(),
        ProtocolError::InvalidMultibulkLength,
    );
    refuses(
        format!("*{digits}1").as_bytes(),
        ProtocolError::TooBigMultibulkCount,
    );
    check(format!("*1\r\n${digits}").as_bytes(), &Ok(None));
    refuses(
        format!("*1\r\n${digits}\r\n").as_bytes(),
        ProtocolError::InvalidBulkLength,
    );
    refuses(
        format!("*1\r\n${digits}1").as_bytes(),
        ProtocolError::TooBigBulkCount,
    );
}

#[test]
fn limits_hold_before_the_bytes_come() {
    check(b"*10\r\n", &Ok(None));
    check(b"*2\r\n$100\r\n", &Ok(None));
    let first = format!("*2\r\n$100\r\n{}\r\n", "x".repeat(100));
    check(format!("{first}$81\r\n").as_bytes(), &Ok(None));
    refuses(
        format!("{first}$82\r\n").as_bytes(),
        ProtocolError::TooBigRequest,
    );

    let mut parser = RequestParser::new(small_limits());
    parser.set_limits(Limits {
        bulk_bytes_max: 2,
        ..small_limits()
    });
    assert_eq!(
        parse_once(&mut parser, b"*1\r\n$3\r\n"),
        Err(ProtocolError::InvalidBulkLength)
    );
}

#[test]
fn errors_have_the_texts_of_redis() {
    let texts = [
        (ProtocolError::TooBigInline, "too big inline request"),
        (
            ProtocolError::UnbalancedQuotes,
            "unbalanced quotes in request",
        ),
        (
            ProtocolError::TooBigMultibulkCount,
            "too big mbulk count string",
        ),
        (
            ProtocolError::InvalidMultibulkLength,
            "invalid multibulk length",
        ),
        (ProtocolError::ExpectedBulk(b'f'), "expected '$', got 'f'"),
        (ProtocolError::TooBigBulkCount, "too big bulk count string"),
        (ProtocolError::InvalidBulkLength, "invalid bulk length"),
    ];
    for (error, text) in texts {
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn a_handshake_of_tls_is_known_by_its_first_two_bytes() {
    refuses(b"\x16\x03\x01\x02\x00\x01", ProtocolError::Tls);
    check(b"\x16", &Ok(None));
    accepts(b"\x16\x04\r\n", &[b"\x16\x04"], 4);
}

#[test]
fn an_error_stays() {
    let mut parser = RequestParser::new(small_limits());
    for _ in 0..2 {
        let outcome = parse_once(&mut parser, b"*1\r\nx");
        assert_eq!(outcome, Err(ProtocolError::ExpectedBulk(b'x')));
    }
}

#[test]
fn arguments_seen_are_not_looked_at_again() {
    let mut parser = RequestParser::new(small_limits());
    let mut input = b"*2\r\n$3\r\nGET\r\n$1\r\nk".to_vec();
    assert_eq!(parse_once(&mut parser, &input), Ok(None));
    input[..8].fill(b'?');
    input.extend_from_slice(b"\r\n");
    let args = vec![b"GET".to_vec(), b"k".to_vec()];
    assert_eq!(parse_once(&mut parser, &input), Ok(Some((args, 20))));
}

#[test]
fn bytes_seen_of_an_unfinished_line_are_not_looked_at_again() {
    for (start, planted) in [
        (&b"PING x"[..], b'\n'),
        (b"*1111111111111", b'\r'),
        (b"*1\r\n$1111111111111", b'\r'),
    ] {
        let mut parser = RequestParser::new(small_limits());
        let mut input = start.to_vec();
        assert_eq!(parse_once(&mut parser, &input), Ok(None));
        let last = input.len() - 1;
        input[last] = planted;
        input.push(b'1');
        assert_eq!(
            parse_once(&mut parser, &input),
            Ok(None),
            "{}",
            start.escape_ascii()
        );
    }
}

#[test]
fn hints_lead_to_the_end_and_never_beyond() {
    let mut input = Vec::new();
    encode_command(&mut input, &[b"SET", b"key", &[b'v'; 90]]);
    let mut parser = RequestParser::new(small_limits());
    let (mut known, mut calls) = (0, 0);
    loop {
        calls += 1;
        match parser.parse(&input[..known]).expect("a valid request") {
            Parsed::Incomplete { needed_bytes } => known = needed_bytes,
            Parsed::Request { consumed, .. } => break assert_eq!(consumed, known),
        }
        assert!(known <= input.len());
    }
    // One step for each byte of the four headers, and one for each content.
    assert_eq!((known, calls), (input.len(), 1 + 4 + 4 + 1 + 4 + 1 + 5 + 1));
}

#[test]
fn memory_follows_what_came_and_is_given_back() {
    let mut parser = RequestParser::new(Limits::default());
    assert_eq!(
        parse_once(&mut parser, b"*1048576\r\n$67108864\r\n"),
        Ok(None)
    );
    assert_eq!(parser.heap_bytes(), 0);
    assert!(!parser.is_idle());

    let mut parser = RequestParser::new(Limits::default());
    let args = vec![&b"x"[..]; 10_000];
    let mut input = Vec::new();
    encode_command(&mut input, &args);
    assert!(matches!(parse_once(&mut parser, &input), Ok(Some((args, _))) if args.len() == 10_000));
    assert!(parser.heap_bytes() >= 80_000 && parser.is_idle());
    assert_eq!(parse_once(&mut parser, b""), Ok(None));
    assert_eq!(parser.heap_bytes(), 0);

    let line = [&[b'x'; 50_000][..], b"\n"].concat();
    assert!(matches!(parse_once(&mut parser, &line), Ok(Some(_))));
    assert!(parser.heap_bytes() >= 50_000);
    parser.trim();
    assert!(parser.heap_bytes() <= 4096);
}

#[test]
fn a_usual_request_allocates_once() {
    let mut parser = RequestParser::new(Limits::default());
    let input = b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n";
    assert!(parse_once(&mut parser, input).is_ok());
    let held = parser.heap_bytes();
    assert!((1..=64).contains(&held));
    parser.trim();
    assert_eq!(parser.heap_bytes(), held);
}

#[test]
fn input_cut_short_by_the_caller_is_incomplete() {
    let mut parser = RequestParser::new(small_limits());
    assert_eq!(parse_once(&mut parser, b"*2\r\n$3\r\nGET\r\n"), Ok(None));
    assert_eq!(parse_once(&mut parser, b"*2\r\n"), Ok(None));
}
