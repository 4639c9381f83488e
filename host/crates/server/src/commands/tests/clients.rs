//! CLIENT: what connections see of each other.

use larder_resp::Version;

use super::Bed;
use crate::testing::session_of;

/// The numbers of the clients that a reply describes.
fn listed(bed: &mut Bed, line: &str) -> Vec<String> {
    let (reply, _) = bed.line(line);
    let ids = reply.split("id=").skip(1);
    let ids = ids.filter_map(|rest| rest.split_once(" addr="));
    ids.map(|(id, _)| id.to_owned()).collect()
}

#[test]
fn clients_are_listed_by_number_and_type() {
    let mut bed = Bed::new(Version::V2);
    let mut other = session_of(&bed.shared, 7, Version::V2);
    session_of(&bed.shared, 9, Version::V3);
    assert_eq!(listed(&mut bed, "CLIENT LIST"), ["7", "9", "42"]);
    assert_eq!(
        listed(&mut bed, "CLIENT LIST ID 9 8 42 9"),
        ["9", "42", "9"]
    );
    assert_eq!(listed(&mut bed, "CLIENT INFO"), ["42"]);
    std::mem::swap(&mut bed.session, &mut other);
    bed.line("SUBSCRIBE a b");
    bed.session.publish(bed.now, None);
    std::mem::swap(&mut bed.session, &mut other);
    assert_eq!(listed(&mut bed, "CLIENT LIST TYPE PubSub"), ["7"]);
    assert_eq!(listed(&mut bed, "CLIENT LIST TYPE normal"), ["9", "42"]);
    assert!(listed(&mut bed, "CLIENT LIST TYPE replica").is_empty());
    let (reply, _) = bed.line("CLIENT LIST ID 7");
    assert!(
        reply.contains(" flags=P db=0 sub=2 psub=0 ssub=0 "),
        "{reply}"
    );
    for (line, expected) in [
        ("CLIENT LIST TYPE x", "-ERR Unknown client type 'x'\r\n"),
        ("CLIENT LIST ID x", "-ERR Invalid client ID\r\n"),
        ("CLIENT LIST ID", "-ERR syntax error\r\n"),
        ("CLIENT LIST TYPE normal x", "-ERR syntax error\r\n"),
    ] {
        bed.check(line, expected);
    }
}

#[test]
fn a_client_sees_itself_as_it_is_now() {
    let mut bed = Bed::new(Version::V3);
    bed.line("SELECT 5");
    bed.line("WATCH a b");
    let (reply, _) = bed.line("CLIENT INFO");
    assert!(reply.starts_with('='), "a text of RESP3: {reply}");
    for field in [
        " db=5 ",
        " watch=2 ",
        " cmd=client|info ",
        " resp=3 ",
        " user=default ",
    ] {
        assert!(reply.contains(field), "{field}: {reply}");
    }
}
