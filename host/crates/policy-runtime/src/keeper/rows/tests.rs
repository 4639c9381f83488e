use super::*;

fn loaded() -> Facts<'static> {
    Facts {
        name: "10-x",
        is_loaded: true,
        is_enabled: true,
        ..Facts::default()
    }
}

fn ruler() -> Facts<'static> {
    Facts {
        evicts: true,
        rules: vec!["default", "shop"],
        why: Some(Why::File),
        ..loaded()
    }
}

fn check(facts: &Facts<'_>, state: PolicyState, why: &str) {
    assert_eq!(facts.judge(), (state, why.to_owned()), "{facts:?}");
}

#[test]
fn what_keeps_a_policy_out_of_force_is_its_state() {
    let mut facts = Facts {
        waits_for: Some("it trapped"),
        ..ruler()
    };
    let why = "it trapped; it is tried again shortly";
    check(&facts, PolicyState::Failing, why);
    facts.quarantined = Some("it looped");
    let why = "it broke rules too often, the last time: it looped; drop another version, or POLICY \
               ENABLE 10-x";
    check(&facts, PolicyState::Quarantined, why);
    facts.is_enabled = false;
    let why = "its side-car says enabled = false; set enabled = true in 10-x.toml";
    check(&facts, PolicyState::Disabled, why);
    facts.is_disabled = true;
    let why = "an operator disabled it; POLICY ENABLE 10-x puts it in force";
    check(&facts, PolicyState::Disabled, why);
    facts.is_loaded = false;
    facts.complaint = Some("it is no module");
    check(&facts, PolicyState::Refused, "it is no module");
}

#[test]
fn what_a_policy_does_is_its_state_else() {
    let mut facts = ruler();
    let why = "rules the evictions of default, shop: it was deployed last";
    check(&facts, PolicyState::Active, why);
    facts.decides = true;
    facts.why = Some(Why::Pinned);
    let why = "rules the evictions of default, shop: an operator put it in charge; decides over \
               values, in file order";
    check(&facts, PolicyState::Active, why);
    facts.rules.clear();
    facts.other_rulers = vec!["20-y".to_owned()];
    let why = "stands by for evictions: 20-y rules; decides over values, in file order";
    check(&facts, PolicyState::Active, why);
    facts.decides = false;
    facts.complaint = Some("it is too long");
    let why = "stands by for evictions: 20-y rules; what lies in the folder was refused, and an \
               earlier version stays: it is too long";
    check(&facts, PolicyState::Candidate, why);
    facts.complaint = None;
    facts.went_back_from = Some("3e3f5a6b7c8d9e0f");
    let why = "stands by for evictions: 20-y rules; rolled back: the folder holds another version \
               (digest 3e3f5a6b7c8d…), deploy it again to put it in force";
    check(&facts, PolicyState::Candidate, why);
}

#[test]
fn a_native_policy_stands_by_while_another_rules() {
    let row = native_row("s3-fifo", "default", None);
    assert_eq!((row.state, row.file.as_str()), (PolicyState::Active, ""));
    let row = native_row("s3-fifo", "default", Some("10-x"));
    assert_eq!(row.state, PolicyState::Candidate);
    assert_eq!(row.why, "stands by: 10-x rules");
}
