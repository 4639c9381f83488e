use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Wake, Waker};

use larder_resp::Version;

use super::Type;
use crate::mailbox::Letter;
use crate::testing::{config, parts, session_of};
use crate::{Session, Shared};

#[derive(Default)]
struct Bell(AtomicU32);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn shared() -> Shared {
    Shared::new(config(), parts())
}

fn line(session: &Session) -> String {
    let mut text = String::new();
    session.client.write_line(1_700_000_007_900, &mut text);
    text
}

#[test]
fn who_comes_is_found_by_number_and_who_goes_is_not() {
    let shared = shared();
    let sessions: Vec<_> = (1..=40)
        .map(|id| session_of(&shared, id, Version::V2))
        .collect();
    let ids: Vec<_> = shared.clients.all().iter().map(|one| one.id()).collect();
    assert_eq!(ids, (1..=40).collect::<Vec<_>>());
    assert!(Arc::ptr_eq(
        &shared.clients.get(17).expect("it is there"),
        &sessions[16].client
    ));
    shared.clients.remove(17);
    assert!(shared.clients.get(17).is_none());
    assert_eq!(shared.clients.all().len(), 39);
}

#[test]
fn a_line_tells_what_the_connection_told_last() {
    let shared = shared();
    let mut session = session_of(&shared, 7, Version::V2);
    assert_eq!(
        line(&session),
        format!(
            "id=7 addr=127.0.0.1:7 laddr=127.0.0.1:6379 fd=8 name= age=7 idle=7 flags=N db=0 sub=0 psub=0 \
             ssub=0 multi=-1 watch=0 qbuf=0 qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl=0 oll=0 omem=0 \
             tot-mem={} events=r cmd=NULL user=default redir=-1 resp=2 lib-name= lib-ver=\n",
            size_of::<super::Client>()
        )
    );
    session.db = 3;
    session.client.set_name(b"me");
    session.set_version(Version::V3);
    crate::transaction::begin(&mut session).expect("it had not begun");
    session.publish(1_700_000_004_000, Some(0));
    let told = line(&session);
    for field in [
        " name=me ",
        " idle=3 ",
        " flags=x ",
        " db=3 ",
        " multi=0 ",
        " cmd=acl ",
        " resp=3 ",
    ] {
        assert!(told.contains(field), "{field}: {told}");
    }
    session.transaction = None;
    session.publish(1_700_000_004_000, None);
    assert!(line(&session).contains(" flags=N ") && line(&session).contains(" cmd=acl "));
    assert!(session.client.is_of(Type::Normal) && !session.client.is_of(Type::PubSub));
}

/// Ten thousand idle connections have one each.
#[test]
fn what_is_kept_of_a_connection_is_small() {
    assert!(
        size_of::<super::Client>() <= 280,
        "{}",
        size_of::<super::Client>()
    );
}

#[test]
fn a_mailbox_opened_by_another_wakes_its_owner_and_speaks_its_version() {
    let shared = shared();
    let mut session = session_of(&shared, 7, Version::V3);
    let bell = Arc::new(Bell::default());
    session.client.arm(&Waker::from(bell.clone()));
    assert!(session.mailbox().is_none());
    let other = shared.clients.get(7).expect("it is there");
    let mailbox = other.open_mailbox(shared.buffers.tenant(0));
    assert_eq!(bell.0.load(Ordering::Relaxed), 1);
    let put = || mailbox.put(&mut Letter::new(&[b"m"]));
    put();
    session.set_version(Version::V2);
    put();
    let mut mail = Vec::new();
    session.mailbox().expect("it is open").take(&mut mail);
    assert_eq!(mail, b">1\r\n$1\r\nm\r\n*1\r\n$1\r\nm\r\n");
}

#[test]
fn who_is_killed_is_woken_to_end() {
    let shared = shared();
    let session = session_of(&shared, 7, Version::V2);
    let bell = Arc::new(Bell::default());
    session.client.arm(&Waker::from(bell.clone()));
    assert!(!session.client.is_killed());
    shared.clients.get(7).expect("it is there").kill();
    assert!(session.client.is_killed());
    assert_eq!(bell.0.load(Ordering::Relaxed), 1);
}
