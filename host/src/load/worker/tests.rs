use std::time::Instant;

use super::*;
use crate::address::Address;
use crate::load::encoder::Encoder;
use crate::load::fake::serve;
use crate::load::options::ValueBytes;
use crate::load::source::Source;

#[test]
fn a_server_that_stops_answering_loses_what_is_awaited() {
    let mut requests = 0;
    let addr: Address = serve(move |_, reply| {
        requests += 1;
        if requests <= 3 {
            reply.ok();
        }
        true
    })
    .parse()
    .unwrap();
    let encoder = Encoder::new(ValueBytes { min: 1, max: 1 }, Duration::ZERO);
    let lane = Lane::new(Source::Fill(0..10), encoder, 1, 2, true);
    let progress = AtomicU64::new(0);
    let worker = Worker::new(vec![addr.connect().unwrap()], lane, &progress).unwrap();

    let (started, timeout) = (Instant::now(), Duration::from_millis(100));
    let tally = worker.run(timeout).unwrap();

    assert!(started.elapsed() >= timeout);
    // The second batch of two got one reply.
    assert_eq!((tally.replies(), tally.lost), (3, 1));
    assert_eq!(progress.load(Ordering::Relaxed), 3);
    assert_eq!(tally.first_fault.as_deref(), Some("no reply within 100ms"));
}
