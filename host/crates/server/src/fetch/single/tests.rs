use larder_tiers::WritePolicy;

use crate::fetch::tests::server;
use crate::testing::command;

#[test]
fn a_value_that_goes_for_the_room_of_its_own_change_is_changed_all_the_same() {
    let (server, _stack) = server(WritePolicy::Through);
    let mut client = server.connect();
    let small = vec![b's'; 20_000];
    let set = |n: usize| command(&[b"SET", format!("k{n}").as_bytes(), &small]);
    let keys = 3_500;
    for n in 0..keys {
        client.ask(set(n), "+OK\r\n");
    }
    let more = vec![b'm'; 2 << 20];
    // Some are not in memory, some are the first to go.
    for turn in 0..120 {
        let n = turn * 1_103 % keys;
        let append = command(&[b"APPEND", format!("k{n}").as_bytes(), &more]);
        client.ask(append, format!(":{}\r\n", small.len() + more.len()));
        client.ask(set(n), "+OK\r\n");
    }
}
