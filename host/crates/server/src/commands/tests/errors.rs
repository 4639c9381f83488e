use larder_engine::Error;
use larder_resp::{ArgsBuf, Version};

use super::super::Failure;
use super::{Bed, check};
use crate::testing::config;
use crate::{Flow, ServerConfig};

#[test]
fn requests_that_are_no_command() {
    let arity = |name| format!("-ERR wrong number of arguments for '{name}' command\r\n");
    check(&[
        (
            "foo",
            "-ERR unknown command 'foo', with args beginning with: \r\n",
        ),
        (
            "Foo a 'b c'",
            "-ERR unknown command 'Foo', with args beginning with: 'a' 'b c' \r\n",
        ),
        (
            "\"a\\r\\nb\" \"c\\nd\"",
            "-ERR unknown command 'a  b', with args beginning with: 'c d' \r\n",
        ),
        ("GET", &arity("get")),
        ("get a b", &arity("get")),
        ("SET k", &arity("set")),
        ("CLIENT", &arity("client")),
        ("CLIENT SETNAME", &arity("client|setname")),
        ("CLIENT GETNAME x", &arity("client|getname")),
        ("CONFIG GET", &arity("config|get")),
        (
            "CLIENT foo",
            "-ERR unknown subcommand 'foo'. Try CLIENT HELP.\r\n",
        ),
        (
            "CONFIG FOO a b",
            "-ERR unknown subcommand 'FOO'. Try CONFIG HELP.\r\n",
        ),
        (
            "COMMAND FOO",
            "-ERR unknown subcommand 'FOO'. Try COMMAND HELP.\r\n",
        ),
    ]);
}

#[test]
fn an_unknown_command_is_shown_only_in_part() {
    let mut bed = Bed::new(Version::V2);
    let long = "x".repeat(500);
    let name = "x".repeat(128);
    let (reply, _) = bed.line(&format!("{long} {long} {long}"));
    let expected =
        format!("-ERR unknown command '{name}', with args beginning with: '{name}' \r\n");
    assert_eq!(reply, expected);
    let (out, _) = bed.execute_args(&[b"\xff\0"]);
    assert!(
        out.starts_with(b"-ERR unknown command '"),
        "{}",
        out.escape_ascii()
    );
}

#[test]
fn refusals_of_the_engine() {
    let text = |error| Failure::from(error).text().to_owned();
    assert_eq!(
        text(Error::OutOfMemory),
        "OOM command not allowed when used memory > 'maxmemory'."
    );
    assert_eq!(
        text(Error::EntryTooLarge {
            bytes: 9,
            bytes_max: 8
        }),
        "ERR value too large: an entry may take 8 bytes at most here (1/8 of the tenant's memory), \
         this one takes 9"
    );
    let mut bed = Bed::new(Version::V2);
    let bytes_max = bed.session.tenant.entry_bytes_max();
    let long_key = vec![b'k'; 65_537];
    let large = vec![b'v'; bytes_max];
    let too_large =
        format!("-ERR value too large: an entry may take {bytes_max} bytes at most here");
    let key_too_long =
        "-ERR key too long: a key may have 65536 bytes at most, this one has 65537\r\n";
    let requests: [(&[&[u8]], &str); 7] = [
        (&[b"SET", b"k", &large], &too_large),
        (&[b"APPEND", b"k", &large], &too_large),
        (&[b"GETSET", b"k", &large], &too_large),
        (&[b"SET", &long_key, b"v"], key_too_long),
        (&[b"INCR", &long_key], key_too_long),
        (&[b"MSET", b"k", b"v", &long_key, b"v"], key_too_long),
        (&[b"GET", &long_key], "$-1\r\n"),
    ];
    for (args, expected) in requests {
        let (out, _) = bed.execute_args(args);
        let name = args[0].escape_ascii();
        assert!(
            out.starts_with(expected.as_bytes()),
            "{name}: {}",
            out.escape_ascii()
        );
    }
    bed.check("DBSIZE", ":0\r\n");
}

#[test]
fn mset_with_one_value_too_large_sets_none() {
    let mut bed = Bed::new(Version::V2);
    let large = vec![b'v'; bed.session.tenant.entry_bytes_max()];
    let args: [&[u8]; 7] = [b"MSET", b"a", b"1", b"b", &large, b"c", b"3"];
    let (out, _) = bed.execute_args(&args);
    assert!(
        out.starts_with(b"-ERR value too large"),
        "{}",
        out.escape_ascii()
    );
    bed.check("EXISTS a b c", ":0\r\n");
}

#[test]
fn append_stops_at_the_longest_string() {
    let config = ServerConfig {
        proto_bulk_bytes_max: 10,
        ..config()
    };
    let mut bed = Bed::with(config, Version::V2);
    bed.check("APPEND k 12345678", ":8\r\n");
    let too_long = "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n";
    bed.check("APPEND k 123", too_long);
    bed.check("APPEND k 12", ":10\r\n");
    bed.check("GET k", "$10\r\n1234567812\r\n");
}

#[test]
fn mget_stops_when_the_output_is_full() {
    let config = ServerConfig {
        output_bytes_max: 100,
        ..config()
    };
    let mut bed = Bed::with(config, Version::V2);
    bed.check(&format!("SET k {}", "v".repeat(60)), "+OK\r\n");
    let value = format!("$60\r\n{}\r\n", "v".repeat(60));
    let error = "-ERR reply too large: ask for fewer keys at once\r\n";
    let cut_off = (format!("*4\r\n{value}{error}"), Flow::Overfull);
    assert_eq!(bed.line("MGET k k k k"), cut_off);
    bed.check("MGET k none", &format!("*2\r\n{value}$-1\r\n"));
}

#[test]
fn lines_of_http_end_the_connection() {
    for line in ["POST / HTTP/1.1", "Host: 127.0.0.1", "post /"] {
        let mut bed = Bed::new(Version::V2);
        let args: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        let args = ArgsBuf::from_iter(args);
        let (reply, flow) = bed.execute(args.args());
        assert!(reply.starts_with(b"-ERR Protocol error"), "{line}");
        assert_eq!(flow, Flow::Close, "{line}");
    }
}
