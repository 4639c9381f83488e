//! What must hold for any bytes, in any pieces.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::{
    Limits, Parsed, Peek, ProtocolError, Reply, RequestParser, Value, Version, decode,
    encode_command, peek,
};

/// Small enough that generated input reaches every limit.
fn limits() -> Limits {
    Limits {
        bulk_bytes_max: 48,
        args_max: 12,
        inline_bytes_max: 64,
        request_bytes_max: 256,
    }
}

/// All requests of a connection, where the last of them ended, and what was wrong with what came then.
type Transcript = (Vec<Vec<Vec<u8>>>, usize, Option<ProtocolError>);

/// Parses `input` as it comes in pieces, whose lengths `pieces` gives over and over.
fn transcript(input: &[u8], pieces: &[usize], limits: Limits) -> Transcript {
    let mut parser = RequestParser::new(limits);
    let mut pieces = pieces.iter().cycle();
    let mut requests = Vec::new();
    let (mut start, mut known) = (0, 0);
    loop {
        match parser.parse(&input[start..known]) {
            Ok(Parsed::Request { args, consumed }) => {
                assert!(consumed > 0 && consumed <= known - start);
                requests.push(args.iter().map(<[u8]>::to_vec).collect());
                start += consumed;
            }
            Ok(Parsed::Incomplete { needed_bytes }) => {
                assert!(needed_bytes > known - start);
                if known == input.len() {
                    return (requests, start, None);
                }
                known = input.len().min(known + pieces.next().unwrap_or(&1).max(&1));
            }
            Err(error) => return (requests, start, Some(error)),
        }
    }
}

/// Bytes that look like the protocol more often than chance would have it.
fn protocol_like() -> impl Strategy<Value = Vec<u8>> {
    let token = prop_oneof![
        "[*$+:,#_=!%~>|(-][0-9]{0,2}\r\n".prop_map(String::into_bytes),
        "[a-c\"'\\\\x ]{0,9}\r?\n".prop_map(String::into_bytes),
        "\\*[12]\r\n(\\$[0-2]\r\n[ab]{0,2}\r\n){1,2}".prop_map(String::into_bytes),
        vec(any::<u8>(), 0..6),
    ];
    vec(token, 0..24).prop_map(|tokens| tokens.concat())
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        "[^\r\n]{0,12}".prop_map(Value::Simple),
        "[^\r\n]{0,12}".prop_map(Value::Error),
        any::<i64>().prop_map(Value::Integer),
        vec(any::<u8>(), 0..20).prop_map(|bytes| Value::Bulk(Some(bytes))),
        Just(Value::Null),
        any::<f64>()
            .prop_filter("equal to itself", |x| !x.is_nan())
            .prop_map(Value::Double),
        any::<bool>().prop_map(Value::Boolean),
        ".{0,12}".prop_map(Value::Verbatim),
        "-?[0-9]{1,40}".prop_map(Value::BigNumber),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(4, 32, 6, |inner| {
        let list = vec(inner.clone(), 0..6);
        prop_oneof![
            list.clone().prop_map(Value::Array),
            list.clone().prop_map(Value::Set),
            list.prop_map(Value::Push),
            vec((inner.clone(), inner), 0..4).prop_map(Value::Map),
        ]
    })
}

fn write(reply: &mut Reply<'_>, value: &Value) {
    match value {
        Value::Simple(text) => reply.simple(text),
        Value::Error(text) => reply.error(text),
        Value::Integer(value) => reply.integer(*value),
        Value::Bulk(Some(bytes)) => reply.bulk(bytes),
        Value::Bulk(None) | Value::Null => reply.null(),
        Value::NullArray => reply.null_array(),
        Value::Double(value) => reply.double(*value),
        Value::Boolean(value) => reply.boolean(*value),
        Value::Verbatim(text) => reply.verbatim(text),
        Value::BigNumber(digits) => reply.big_number(digits),
        Value::Array(list) | Value::Set(list) | Value::Push(list) => {
            match value {
                Value::Set(_) => reply.set(list.len()),
                Value::Push(_) => reply.push(list.len()),
                _ => reply.array(list.len()),
            }
            list.iter().for_each(|element| write(reply, element));
        }
        Value::Map(pairs) => {
            reply.map(pairs.len());
            for (key, value) in pairs {
                write(reply, key);
                write(reply, value);
            }
        }
    }
}

/// The length that [`peek`] gives; None for incomplete.
fn peeked_len(input: &[u8], limits: &Limits) -> Result<Option<usize>, ProtocolError> {
    Ok(match peek(input, limits)? {
        Peek::Incomplete => None,
        Peek::Bulk { len, start, end } => {
            assert!(start <= end && end + 2 == len);
            Some(len)
        }
        Peek::Null { len } | Peek::Error { len } | Peek::Other { len } => Some(len),
    })
}

proptest! {
    #[test]
    fn what_is_encoded_is_parsed(
        requests in vec(vec(vec(any::<u8>(), 0..300), 1..9), 0..6),
        pieces in vec(1_usize..400, 1..8),
    ) {
        let mut input = Vec::new();
        for request in &requests {
            let args: Vec<&[u8]> = request.iter().map(Vec::as_slice).collect();
            encode_command(&mut input, &args);
        }
        let (parsed, end, error) = transcript(&input, &pieces, Limits::default());
        prop_assert_eq!((parsed, end, error), (requests, input.len(), None));
    }

    #[test]
    fn pieces_make_no_difference(input in protocol_like(), pieces in vec(1_usize..30, 1..8)) {
        let whole = transcript(&input, &[input.len()], limits());
        prop_assert_eq!(&transcript(&input, &pieces, limits()), &whole);
        prop_assert_eq!(&transcript(&input, &[1], limits()), &whole);
    }

    #[test]
    fn what_is_written_is_decoded(value in value()) {
        let mut out = Vec::new();
        write(&mut Reply::new(&mut out, Version::V3), &value);
        let limits = Limits::default();
        let len = out.len();
        for cut in 0..len {
            prop_assert_eq!(decode(&out[..cut], &limits), Ok(None));
            prop_assert_eq!(peek(&out[..cut], &limits), Ok(Peek::Incomplete));
        }
        out.extend_from_slice(b"+more\r\n");
        prop_assert_eq!(decode(&out, &limits), Ok(Some((value, len))));
        prop_assert_eq!(peeked_len(&out, &limits), Ok(Some(len)));
    }

    #[test]
    fn what_resp2_gets_is_resp2(value in value()) {
        let mut out = Vec::new();
        write(&mut Reply::new(&mut out, Version::V2), &value);
        let decoded = decode(&out, &Limits::default());
        prop_assert!(matches!(&decoded, Ok(Some((value, len))) if *len == out.len() && is_resp2(value)));
    }

    #[test]
    fn any_reply_is_decoded_or_refused_within_its_bytes(input in protocol_like()) {
        let decoded = decode(&input, &limits());
        let peeked = peeked_len(&input, &limits());
        match decoded {
            Ok(Some((_, len))) => {
                prop_assert!(len > 0 && len <= input.len());
                prop_assert_eq!(decode(&input[..len - 1], &limits()), Ok(None));
                prop_assert_eq!(peeked, Ok(Some(len)));
            }
            Ok(None) => prop_assert_eq!(peeked, Ok(None)),
            Err(_) => {}
        }
    }
}

fn is_resp2(value: &Value) -> bool {
    match value {
        Value::Simple(_) | Value::Error(_) | Value::Integer(_) | Value::Bulk(_) => true,
        Value::NullArray => true,
        Value::Array(list) => list.iter().all(is_resp2),
        _ => false,
    }
}
