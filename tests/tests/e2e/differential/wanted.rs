//! Where Larder's reply to a request is meant to differ from that of the Redis compared with.

use larder_resp::Value;

use super::generate::{FAR_SECONDS, Request, UNIX_SECONDS};

/// One difference.
pub(super) struct Wanted {
    pub(super) reason: &'static str,
    /// Whether this is it: the request, Redis's reply, Larder's reply.
    pub(super) covers: fn(&Request, &Value, &Value) -> bool,
}

/// Between the two servers a request travels; the machine may be busy.
const TOLERANCE_MS: u64 = 5_000;
/// The latest expiry that Larder tells apart, in the year 2109.
const LATEST_MS: i64 = (1 << 42) - 1;

/// Everything, in the order in which it is looked up. Each row has to be needed.
pub(super) const WANTED: &[Wanted] = &[
    Wanted {
        reason: "times to live are counted from the moment the request is read",
        covers: |request, redis, larder| match (unit_ms(request), redis, larder) {
            (Some(unit), Value::Integer(redis), Value::Integer(larder @ 1..)) => {
                let is_exact = name(request).ends_with("TIME") && *redis >= given_from(unit);
                !is_exact && redis.abs_diff(*larder) * unit <= TOLERANCE_MS
            }
            _ => false,
        },
    },
    Wanted {
        reason: "expiries are kept in 42 bits: those beyond the year 2109 count as the latest",
        covers: |request, redis, larder| match (unit_ms(request), redis, larder) {
            (Some(unit), Value::Integer(redis), Value::Integer(larder)) => {
                let is_moment = name(request).ends_with("TIME");
                let offset = if is_moment { 0 } else { now_ms() };
                let unit = unit as i64;
                let is_latest = (larder * unit + offset).abs_diff(LATEST_MS) <= TOLERANCE_MS;
                is_latest && redis > larder
            }
            _ => false,
        },
    },
    Wanted {
        reason: "so no expiry beyond the year 2109 is before or after another",
        covers: |request, redis, larder| {
            let is_far = |moment: &Vec<u8>| moment.starts_with(FAR_SECONDS.as_bytes());
            name(request).ends_with("EXPIREAT")
                && request.get(2).is_some_and(is_far)
                && (redis, larder) == (&Value::Integer(1), &Value::Integer(0))
        },
    },
    Wanted {
        reason: "the order of SCAN, and how much it brings at once, is each server's own",
        covers: |request, redis, larder| match (scanned(redis), scanned(larder)) {
            (Some((redis, redis_keys)), Some((larder, larder_keys))) => {
                let are_all = redis == b"0" && larder == b"0";
                is_scan_from_start(request) && (!are_all || redis_keys == larder_keys)
            }
            _ => false,
        },
    },
    Wanted {
        reason: "a cursor that no server gave has no meaning, and only Redis takes text for one",
        covers: |request, redis, larder| {
            let is_refused = *larder == Value::Error("ERR invalid cursor".into());
            let is_scanned = scanned(redis).is_some() && scanned(larder).is_some();
            name(request) == "SCAN" && !is_scan_from_start(request) && (is_refused || is_scanned)
        },
    },
    Wanted {
        reason: "the clock has gone on, and Larder's has milliseconds",
        covers: |request, redis, larder| {
            let tells_time = name(request) == "TIME" || full_name(request) == "OBJECT IDLETIME";
            match (seconds(redis), seconds(larder)) {
                (Some(redis), Some(larder)) => {
                    tells_time && redis.abs_diff(larder) * 1000 <= TOLERANCE_MS
                }
                _ => false,
            }
        },
    },
    Wanted {
        reason: "the order of KEYS, and which key is drawn by chance, is each server's own",
        covers: |request, redis, larder| match (redis, larder) {
            (Value::Bulk(Some(_)), Value::Bulk(Some(_))) => name(request) == "RANDOMKEY",
            (Value::Array(redis), Value::Array(larder)) => {
                name(request) == "KEYS" && sorted(redis) == sorted(larder)
            }
            _ => false,
        },
    },
    Wanted {
        reason: "bytes that an entry takes, expired or not, and those of a dump are each server's own",
        covers: |request, redis, larder| match (redis, larder) {
            (Value::Integer(1..), Value::Integer(1..) | Value::Null | Value::Bulk(None)) => {
                full_name(request) == "MEMORY USAGE"
            }
            (Value::Bulk(Some(_)), Value::Bulk(Some(_))) => name(request) == "DUMP",
            _ => false,
        },
    },
    Wanted {
        reason: "encodings follow from values, where in Redis a value that was changed stays raw",
        covers: |request, redis, _| {
            full_name(request) == "OBJECT ENCODING" && bytes(redis) == Some(b"raw")
        },
    },
    Wanted {
        reason: "values are not shared, as the small integers of Redis are",
        covers: |request, redis, larder| {
            full_name(request) == "OBJECT REFCOUNT"
                && *redis == Value::Integer(i32::MAX.into())
                && *larder == Value::Integer(1)
        },
    },
    Wanted {
        reason: "the work of LCS is bounded",
        covers: |request, _, larder| {
            let is_bound = |text: &str| text.starts_with("ERR values too long: LCS compares");
            name(request) == "LCS" && matches!(larder, Value::Error(text) if is_bound(text))
        },
    },
    Wanted {
        reason: "wrong arguments are an error whether the key is there or not, since Redis 7.2",
        covers: |request, redis, larder| {
            ["BITCOUNT", "BITPOS"].contains(&name(request).as_str())
                && matches!(redis, Value::Integer(-1 | 0))
                && matches!(larder, Value::Error(_))
        },
    },
    Wanted {
        reason: "LOLWUT names the server, and LASTSAVE tells when it started, as nothing is saved",
        covers: |request, redis, larder| match (redis, larder) {
            (Value::Integer(1..), Value::Integer(1..)) => name(request) == "LASTSAVE",
            (Value::Bulk(Some(_)), Value::Bulk(Some(_)))
            | (Value::Verbatim(_), Value::Verbatim(_)) => name(request) == "LOLWUT",
            _ => false,
        },
    },
    Wanted {
        reason: "INFO tells of the server itself",
        covers: |request, redis, larder| {
            let is_text =
                |value: &Value| matches!(value, Value::Bulk(Some(_)) | Value::Verbatim(_));
            name(request) == "INFO" && is_text(redis) && is_text(larder)
        },
    },
    Wanted {
        reason: "HELLO names the server, its version and the connection",
        covers: |request, redis, larder| {
            name(request) == "HELLO"
                && greeting(redis).is_some()
                && greeting(redis) == greeting(larder)
        },
    },
    Wanted {
        reason: "Larder has not all the commands of Redis",
        covers: |request, redis, larder| {
            let lists = ["COMMAND ", "COMMAND INFO", "COMMAND DOCS", "COMMAND LIST"];
            let is_list = |value: &Value| matches!(value, Value::Array(_) | Value::Map(_));
            lists.contains(&full_name(request).as_str())
                && request.len() <= 2
                && is_list(redis)
                && is_list(larder)
        },
    },
    Wanted {
        reason: "connections are numbered by each server, commands counted likewise",
        covers: |request, redis, larder| {
            let of_the_server = ["CLIENT ID", "COMMAND COUNT"];
            of_the_server.contains(&full_name(request).as_str())
                && matches!((redis, larder), (Value::Integer(1..), Value::Integer(1..)))
        },
    },
    Wanted {
        reason: "CONFIG GET spells names as they are, not as they were asked for",
        covers: |request, redis, larder| {
            full_name(request) == "CONFIG GET" && in_lowercase(redis) == in_lowercase(larder)
        },
    },
    Wanted {
        reason: "errors show what was sent to its end, where Redis stops at a zero byte",
        covers: |request, redis, larder| match (redis, larder) {
            (Value::Error(redis), Value::Error(larder)) => {
                let cut = |text: &str| text.find('\0').map(|at| text[..at].to_owned());
                request.iter().any(|word| word.contains(&0))
                    && cut(larder).is_some_and(|start| redis.starts_with(&start))
            }
            _ => false,
        },
    },
    Wanted {
        reason: "all numbers that are no database's are answered alike",
        covers: |request, redis, larder| {
            let text = "ERR DB index is out of range";
            let is_error = matches!(redis, Value::Error(text) if text.contains("out of range"));
            let names_a_database = ["SELECT", "MOVE", "COPY"].contains(&name(request).as_str());
            names_a_database && is_error && *larder == Value::Error(text.into())
        },
    },
    Wanted {
        reason: "Redis counts a key written with an expiry in the past until somebody finds it",
        covers: |request, redis, larder| match (redis, larder) {
            (Value::Integer(redis), Value::Integer(larder)) => {
                name(request) == "DBSIZE" && (1..=5).contains(&(redis - larder))
            }
            _ => false,
        },
    },
    Wanted {
        reason: "COMMAND GETKEYS may be asked of commands without arguments since Redis 7.2",
        covers: |request, redis, larder| {
            let text = "ERR wrong number of arguments for 'command|getkeys' command";
            full_name(request) == "COMMAND GETKEYS"
                && *redis == Value::Error(text.into())
                && matches!(larder, Value::Error(_))
        },
    },
    Wanted {
        reason: "CLIENT SETINFO came with Redis 7.2; the system's may be older",
        covers: |request, redis, _| {
            let text = "ERR unknown subcommand 'SETINFO'. Try CLIENT HELP.";
            full_name(request) == "CLIENT SETINFO" && *redis == Value::Error(text.into())
        },
    },
];

fn name(request: &Request) -> String {
    String::from_utf8_lossy(&request[0]).to_ascii_uppercase()
}

fn full_name(request: &Request) -> String {
    let second = request
        .get(1)
        .map(|word| String::from_utf8_lossy(word).to_ascii_uppercase());
    format!("{} {}", name(request), second.unwrap_or_default())
}

/// Milliseconds in the unit that the command reports a time to live, or an expiry, in.
fn unit_ms(request: &Request) -> Option<u64> {
    match name(request).as_str() {
        "TTL" | "EXPIRETIME" => Some(1000),
        "PTTL" | "PEXPIRETIME" => Some(1),
        _ => None,
    }
}

/// Where the moments begin that the generator names itself, in such units.
fn given_from(unit_ms: u64) -> i64 {
    (UNIX_SECONDS * 1000 / unit_ms).cast_signed()
}

fn now_ms() -> i64 {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// The words of a list or map.
fn in_lowercase(reply: &Value) -> Vec<Vec<u8>> {
    match reply {
        Value::Bulk(Some(word)) => vec![word.to_ascii_lowercase()],
        Value::Array(parts) => parts.iter().flat_map(in_lowercase).collect(),
        Value::Map(pairs) => {
            let words = |(name, value)| [in_lowercase(name), in_lowercase(value)].concat();
            pairs
                .iter()
                .map(|(name, value)| (name, value))
                .flat_map(words)
                .collect()
        }
        _ => Vec::new(),
    }
}

fn is_scan_from_start(request: &Request) -> bool {
    name(request) == "SCAN" && request.get(1).is_some_and(|cursor| cursor == b"0")
}

/// The cursor of a scan, and its keys in order.
fn scanned(reply: &Value) -> Option<(&[u8], Vec<&[u8]>)> {
    let Value::Array(parts) = reply else {
        return None;
    };
    let [Value::Bulk(Some(cursor)), Value::Array(keys)] = &parts[..] else {
        return None;
    };
    let mut keys: Vec<&[u8]> = keys.iter().filter_map(bytes).collect();
    keys.sort_unstable();
    Some((cursor, keys))
}

fn sorted(keys: &[Value]) -> Vec<Option<&[u8]>> {
    let mut keys: Vec<_> = keys.iter().map(bytes).collect();
    keys.sort_unstable();
    keys
}

fn bytes(value: &Value) -> Option<&[u8]> {
    match value {
        Value::Bulk(Some(bytes)) => Some(bytes),
        _ => None,
    }
}

/// The seconds that TIME or OBJECT IDLETIME tells.
fn seconds(reply: &Value) -> Option<u64> {
    if let Value::Integer(seconds) = reply {
        return u64::try_from(*seconds).ok();
    }
    let Value::Array(parts) = reply else {
        return None;
    };
    let numbers: Vec<u64> = parts
        .iter()
        .filter_map(|part| str::from_utf8(bytes(part)?).ok()?.parse().ok())
        .collect();
    match numbers[..] {
        [seconds, 0..1_000_000] => Some(seconds),
        _ => None,
    }
}

/// The fields of a greeting, with the values that are the same everywhere.
fn greeting(reply: &Value) -> Option<Vec<(&Value, Option<&Value>)>> {
    let pairs: Vec<(&Value, &Value)> = match reply {
        Value::Map(pairs) => pairs.iter().map(|(name, value)| (name, value)).collect(),
        Value::Array(parts) => parts
            .chunks_exact(2)
            .map(|pair| (&pair[0], &pair[1]))
            .collect(),
        _ => return None,
    };
    let is_own = |name: &Value| {
        let own: [&[u8]; 3] = [b"server", b"version", b"id"];
        bytes(name).is_some_and(|name| own.contains(&name))
    };
    Some(
        pairs
            .into_iter()
            .map(|(name, value)| (name, (!is_own(name)).then_some(value)))
            .collect(),
    )
}
