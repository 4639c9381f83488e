use larder_resp::Version;

use super::{Bed, check};
use crate::Flow;

const OK: &str = "+OK\r\n";

fn bulk(text: &str) -> String {
    format!("${}\r\n{text}\r\n", text.len())
}

#[test]
fn rules_are_printed_as_they_rule() {
    let mut bed = Bed::new(Version::V2);
    let sha = "81b637d8fcd2c6da6359e6963113a1170de795e4b725b84d1e0b4cfd9ec58ce9";
    for (rules, printed) in [
        ("", "off resetchannels -@all"),
        (
            "on nopass allkeys allchannels allcommands",
            "on nopass ~* &* +@all",
        ),
        (
            "reset ON >bob",
            &format!("off #{sha} resetchannels -@all").replace("off", "on"),
        ),
        ("reset >bob <bob", "off resetchannels -@all"),
        (
            "reset ~a* %R~b %W~c %RW~d ~a*",
            "off ~a* %R~b %W~c ~d resetchannels -@all",
        ),
        ("reset %R~a %W~a", "off ~a resetchannels -@all"),
        ("reset &a* &b", "off resetchannels &a* &b -@all"),
        (
            "reset +@read -get +Client|ID",
            "off resetchannels -@all +@read -get +client|id",
        ),
        (
            "reset +client|id +client|getname -get +client",
            "off resetchannels -@all -get +client",
        ),
        (
            "reset +@all -@dangerous +get",
            "off resetchannels +@all -@dangerous +get",
        ),
        (
            "reset +get (+set ~k) (&c)",
            "off resetchannels -@all +get (~k resetchannels -@all +set) (resetchannels &c -@all)",
        ),
        ("clearselectors", "off resetchannels -@all +get"),
    ] {
        bed.check(&format!("ACL SETUSER a {rules}"), OK);
        let list = format!(
            "*2\r\n{}{}",
            bulk(&format!("user a {printed}")),
            bulk("user default on nopass ~* &* +@all")
        );
        bed.check("ACL LIST", &list);
    }
}

#[test]
fn a_rule_that_is_none_changes_nothing() {
    let mut bed = Bed::new(Version::V2);
    let wrong =
        |rule: &str, why: &str| format!("-ERR Error in ACL SETUSER modifier '{rule}': {why}\r\n");
    for (rule, why) in [
        ("nonsense", "Syntax error"),
        ("+nosuch", "Unknown command or category name in ACL"),
        ("-@nosuch", "Unknown command or category name in ACL"),
        ("+client|nosuch", "Unknown command or category name in ACL"),
        (
            "+config|get|x",
            "Allowing first-arg of a subcommand is not supported",
        ),
        ("%Q~a", "Syntax error"),
        (
            "<no",
            "The password you are trying to remove from the user does not exist",
        ),
    ] {
        bed.check(&format!("ACL SETUSER a on {rule}"), &wrong(rule, why));
        bed.check("ACL GETUSER a", "$-1\r\n");
    }
    bed.check(
        "ACL SETUSER a on (+get",
        "-ERR Unmatched parenthesis in acl selector starting at '(+get'.\r\n",
    );
    bed.check(
        "ACL SETUSER 'a b' on",
        "-ERR Usernames can't contain spaces or null characters\r\n",
    );
}

#[test]
fn rights_are_those_of_commands_keys_and_channels() {
    let mut bed = Bed::new(Version::V2);
    bed.check(
        "ACL SETUSER a +@all -flushall -config|get ~both* %R~read* %W~write* &news*",
        OK,
    );
    let no = |what: &str| bulk(&format!("User a has no permissions to {what}"));
    for (request, told) in [
        ("GET read1", OK.to_owned()),
        ("GET write1", no("access the 'write1' key")),
        ("SET write1 v", OK.to_owned()),
        ("SET write1 v GET", no("access the 'write1' key")),
        ("SET read1 v", no("access the 'read1' key")),
        ("INCR both", OK.to_owned()),
        ("INCR read1", no("access the 'read1' key")),
        ("MGET read1 both other", no("access the 'other' key")),
        ("EXISTS write1 read1", OK.to_owned()),
        ("COPY read1 write1", OK.to_owned()),
        ("COPY write1 read1", no("access the 'write1' key")),
        ("RENAME both write1", OK.to_owned()),
        ("RENAME write1 both", no("access the 'write1' key")),
        ("BITOP and write1 read1 read2", OK.to_owned()),
        ("OBJECT encoding write1", OK.to_owned()),
        ("FLUSHALL", no("run the 'flushall' command")),
        ("FLUSHDB", OK.to_owned()),
        ("CONFIG get x", no("run the 'config|get' command")),
        ("CONFIG help", OK.to_owned()),
    ] {
        bed.check(&format!("ACL DRYRUN a {request}"), &told);
    }
    bed.check("ACL DRYRUN b GET x", "-ERR User 'b' not found\r\n");
    bed.check("ACL DRYRUN a nosuch", "-ERR Command 'nosuch' not found\r\n");
    bed.check(
        "ACL DRYRUN a GET",
        "-ERR wrong number of arguments for 'get' command\r\n",
    );
}

#[test]
fn a_selector_gives_what_it_says_as_a_whole() {
    let mut bed = Bed::new(Version::V2);
    bed.check("ACL SETUSER a +get ~a (+set ~b)", OK);
    let no = |what: &str| bulk(&format!("User a has no permissions to {what}"));
    for (request, told) in [
        ("GET a", OK.to_owned()),
        ("SET b v", OK.to_owned()),
        ("GET b", no("access the 'b' key")),
        ("SET a v", no("access the 'a' key")),
        ("DEL a", no("run the 'del' command")),
    ] {
        bed.check(&format!("ACL DRYRUN a {request}"), &told);
    }
}

#[test]
fn users_are_told_in_both_versions() {
    let mut bed = Bed::new(Version::V3);
    bed.check("ACL SETUSER a on nopass +get ~k (+set %W~w)", OK);
    let rights = |commands: &str, keys: &str| {
        let pairs = [("commands", commands), ("keys", keys), ("channels", "")];
        let pairs = pairs.map(|(name, value)| bulk(name) + &bulk(value));
        pairs.concat()
    };
    bed.check(
        "ACL GETUSER a",
        &format!(
            "%6\r\n{}~2\r\n{}{}{}*0\r\n{}{}*1\r\n%3\r\n{}",
            bulk("flags"),
            bulk("on"),
            bulk("nopass"),
            bulk("passwords"),
            rights("-@all +get", "~k"),
            bulk("selectors"),
            rights("-@all +set", "%W~w"),
        ),
    );
    bed.check("ACL USERS", "*2\r\n$1\r\na\r\n$7\r\ndefault\r\n");
    bed.check("ACL WHOAMI", "$7\r\ndefault\r\n");
    bed.check("ACL DELUSER a b", ":1\r\n");
    bed.check(
        "ACL DELUSER default",
        "-ERR The 'default' user cannot be removed\r\n",
    );
}

#[test]
fn a_new_user_signs_in_at_once_and_is_no_administrator() {
    let mut bed = Bed::new(Version::V2);
    bed.check("ACL SETUSER a on >pw +@all ~* &*", OK);
    bed.check("AUTH x", "-ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?\r\n");
    bed.check("AUTH default anything", OK);
    bed.check("AUTH a pw", OK);
    bed.check("ACL WHOAMI", "$1\r\na\r\n");
    for line in [
        "ACL LIST",
        "ACL SETUSER a +@all",
        "ACL LOG",
        "POLICY RELOAD",
        "CACHE.RECORD SALT 00112233445566778899aabbccddeeff",
    ] {
        bed.check(line, "-NOPERM only an administrator may do this\r\n");
    }
    let (reply, flow) = bed.line("AUTH a wrong");
    assert!(
        reply.is_empty() && matches!(flow, Flow::SignIn(_)),
        "{flow:?}"
    );
}

#[test]
fn what_was_denied_is_logged() {
    let mut bed = Bed::new(Version::V2);
    bed.check("ACL SETUSER a on nopass +get +acl|log ~k", OK);
    bed.check("ACL SETUSER b on nopass", OK);
    bed.check("AUTH a x", OK);
    bed.check("GET other", "-NOPERM No permissions to access a key\r\n");
    bed.check("GET other", "-NOPERM No permissions to access a key\r\n");
    bed.check(
        "SET k v",
        "-NOPERM User a has no permissions to run the 'set' command\r\n",
    );
    bed.check("ACL LOG", "-NOPERM only an administrator may do this\r\n");
    bed.check("AUTH default x", OK);
    let (log, _) = bed.line("ACL LOG");
    let entry = |count: u8, reason: &str, object: &str| {
        let words = ["context", "toplevel", "object", object, "username", "a"].map(bulk);
        format!(
            "*20\r\n$5\r\ncount\r\n:{count}\r\n{}{}{}",
            bulk("reason"),
            bulk(reason),
            words.concat()
        )
    };
    assert!(
        log.starts_with(&format!("*3\r\n{}", entry(1, "command", "acl|log"))),
        "{log}"
    );
    assert!(log.contains(&entry(1, "command", "set")), "{log}");
    assert_eq!(bed.shared.totals().users.denied_commands, 2);
    assert!(log.contains(&entry(2, "key", "other")), "{log}");
    bed.check("ACL LOG RESET", OK);
    bed.check("ACL LOG", "*0\r\n");
    bed.check(
        "ACL LOG x",
        "-ERR value is not an integer or out of range\r\n",
    );
}

#[test]
fn categories_and_passwords() {
    let cat = |line: &str, expected: &str| check(&[(line, expected)]);
    cat("ACL CAT nosuch", "-ERR Unknown category 'nosuch'\r\n");
    cat("ACL CAT geo", "*0\r\n");
    cat("ACL GENPASS 5", "$2\r\n07\r\n");
    cat("ACL GENPASS", &bulk(&"07".repeat(32)));
    for bits in ["0", "4097", "-1"] {
        cat(
            &format!("ACL GENPASS {bits}"),
            "-ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096\r\n",
        );
    }
    let mut bed = Bed::new(Version::V2);
    let (all, _) = bed.line("ACL CAT");
    assert!(all.starts_with("*21\r\n$8\r\nkeyspace\r\n"), "{all}");
    let (reads, _) = bed.line("ACL CAT read");
    assert!(
        reads.contains("\r\nget\r\n") && !reads.contains("\r\nset\r\n"),
        "{reads}"
    );
}
