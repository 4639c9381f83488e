//! Fuzz body of the protocol: any bytes, in any pieces.

use larder_resp::{Limits, Parsed, Peek, ProtocolError, RequestParser, decode, peek};

/// Small enough that short inputs reach every limit, large enough that the corpus passes.
const LIMITS: Limits = Limits {
    bulk_bytes_max: 512,
    args_max: 100,
    inline_bytes_max: 128,
    request_bytes_max: 2048,
};

/// Parses `data` as requests, whole and in pieces, and as replies.
///
/// # Panics
/// When pieces make a difference, when something claims bytes that are not there, or when `peek` and `decode`
/// disagree on where a reply ends.
pub fn resp(data: &[u8]) {
    let whole = transcript(data, &[data.len()]);
    for pieces in [&[1][..], &[2, 3, 5], &[17, 1, 64]] {
        assert_eq!(transcript(data, pieces), whole, "in pieces of {pieces:?}");
    }
    replies(data);
}

/// All requests of a connection, where the last of them ended, and what was wrong with what came then.
type Transcript = (Vec<Vec<Vec<u8>>>, usize, Option<ProtocolError>);

fn transcript(data: &[u8], pieces: &[usize]) -> Transcript {
    let mut parser = RequestParser::new(LIMITS);
    let mut pieces = pieces.iter().cycle();
    let mut requests = Vec::new();
    let (mut start, mut known) = (0, 0);
    loop {
        match parser.parse(&data[start..known]) {
            Ok(Parsed::Request { args, consumed }) => {
                assert!(
                    consumed > 0 && consumed <= known - start,
                    "consumed {consumed}"
                );
                requests.push(args.iter().map(<[u8]>::to_vec).collect());
                start += consumed;
            }
            Ok(Parsed::Incomplete { needed_bytes }) => {
                assert!(needed_bytes > known - start, "needs {needed_bytes}");
                if known == data.len() {
                    return (requests, start, None);
                }
                known = data.len().min(known + pieces.next().unwrap_or(&1));
            }
            Err(error) => return (requests, start, Some(error)),
        }
    }
}

fn replies(mut data: &[u8]) {
    while let Ok(Some((_, len))) = decode(data, &LIMITS) {
        assert!(
            len > 0 && len <= data.len(),
            "decoded {len} of {}",
            data.len()
        );
        assert_eq!(
            decode(&data[..len - 1], &LIMITS),
            Ok(None),
            "a reply without its last byte"
        );
        match peek(data, &LIMITS) {
            Ok(
                Peek::Null { len: peeked }
                | Peek::Error { len: peeked }
                | Peek::Other { len: peeked },
            ) => {
                assert_eq!(peeked, len);
            }
            Ok(Peek::Bulk {
                len: peeked,
                start,
                end,
            }) => {
                assert!(peeked == len && start <= end && end + 2 == len);
            }
            other => panic!("decoded {len} bytes, peeked {other:?}"),
        }
        data = &data[len..];
    }
}
