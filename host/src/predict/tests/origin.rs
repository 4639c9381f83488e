//! An origin that fails, has nothing, or hangs.

use crate::predict::fetches::IN_FLIGHT_MAX;

use super::*;

#[test]
fn an_origin_that_fails_is_left_alone_for_a_while() {
    let mut run = Run::new();
    run.albums(150);
    assert!(run.prediction(0).is_on);
    run.origin.is_down.store(true, Ordering::Relaxed);
    let (asked, undone) = (
        run.origin.asked.load(Ordering::Relaxed),
        run.prediction(0).undone,
    );
    run.albums(50);
    let told = run.prediction(0);
    assert!(
        told.why.starts_with("paused, as the last ") && told.why.contains("fetches failed: down"),
        "{told:?}"
    );
    let failed = told.undone[3] - undone[3];
    assert!((1..100).contains(&failed), "{told:?}");
    // A client's own requests are asked for as ever: 2,000, of which a few were in memory.
    let asked = run.origin.asked.load(Ordering::Relaxed) - asked;
    assert!(asked < 2_000 + 100, "{asked}");
}

#[test]
fn what_an_origin_does_not_have_yet_is_found_once_it_has_it() {
    let mut run = Run::new();
    run.albums(150);
    assert!(run.is_on());
    for track in 2_000_000..2_000_008 {
        run.read(format!("track:{track}").as_bytes());
    }
    run.origin.is_empty.store(true, Ordering::Relaxed);
    for track in 2_000_008..2_000_012 {
        run.turn();
        run.look(format!("track:{track}").as_bytes());
    }
    run.turn();
    run.origin.is_empty.store(false, Ordering::Relaxed);
    let mut missed = std::mem::take(&mut *run.origin.missed.lock().unwrap());
    assert!(!missed.is_empty(), "{:?}", run.prediction(0));
    let looks = missed.len();
    missed.sort();
    missed.dedup();
    assert_eq!(looks, missed.len(), "each is looked for once");
    for key in missed {
        assert!(run.read(&key), "{}", String::from_utf8_lossy(&key));
    }
}

#[test]
fn where_an_origin_has_nothing_of_what_is_asked_for_it_is_soon_asked_for_no_more() {
    let mut run = Run::new();
    run.albums(300);
    assert!(run.is_on());
    run.origin.is_empty.store(true, Ordering::Relaxed);
    let in_vain = |run: &Run| run.prediction(0).undone[0];
    let before = in_vain(&run);
    let ask = |run: &mut Run, album: u64| {
        let first = 2_000_000 + 100 * album;
        (first..first + 40).for_each(|track| run.ask(&format!("track:{track}")));
    };
    let closed = (0..50).find(|album| {
        ask(&mut run, *album);
        !run.is_on()
    });
    let told = run.prediction(0);
    let why = "% brought what was asked for in time, less than ";
    assert!(closed.is_some() && told.why.contains(why), "{told:?}");
    let tries = in_vain(&run) - before;
    assert!((1..1_000).contains(&tries), "{tries}");
    (50..60).for_each(|album| ask(&mut run, album));
    assert_eq!(in_vain(&run) - before, tries, "{:?}", run.prediction(0));
}

#[test]
fn an_origin_that_hangs_holds_up_so_many_fetches_and_nothing_else() {
    let mut run = Run::new();
    run.albums(150);
    let before = run.prediction(0);
    assert!(before.is_on);
    run.origin.hangs.store(true, Ordering::Relaxed);
    for (album, track) in (0..100_u64).flat_map(|album| (0..40).map(move |track| (album, track))) {
        run.look(format!("track:{}", 2_000_000 + 100 * album + track).as_bytes());
        if track % 4 == 0 {
            run.begin_turn();
        }
        let in_flight = run.seers.all[0].shown.fetches.in_flight();
        assert!(in_flight <= IN_FLIGHT_MAX, "{in_flight}");
        if album == 50 && track == 0 {
            NOW.set(NOW.get() + 60_000);
        }
    }
    let told = run.prediction(0);
    assert_eq!(run.seers.all[0].shown.fetches.in_flight(), IN_FLIGHT_MAX);
    assert!(told.heard >= before.heard + 3_990, "{told:?}");
    assert!(told.trained > before.trained, "{told:?}");
    assert!(told.undone[5] > before.undone[5], "crowded: {told:?}");
    let why = "paused, as 16 fetches go on, and none has ended for ";
    assert!(!told.is_on || told.why.starts_with(why), "{told:?}");
    run.origin.hangs.store(false, Ordering::Relaxed);
    run.origin.lets.add_permits(1 << 10);
    run.turn();
    assert_eq!(run.seers.all[0].shown.fetches.in_flight(), 0);
}
