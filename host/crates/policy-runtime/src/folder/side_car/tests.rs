use super::*;

fn parse(text: &str) -> Result<SideCar, String> {
    let tenants = ["default".to_owned(), "shop".to_owned()];
    SideCar::parse("10-x.toml", text, &tenants)
}

#[test]
fn an_empty_side_car_means_the_defaults() {
    let side_car = parse("").unwrap();
    assert_eq!((side_car.scope, side_car.keys), (Scope::One(0), None));
    assert!(side_car.enabled && !side_car.may_extend);
    assert!(side_car.settings.parameters.is_empty());
    assert_eq!(side_car.settings.deadline, None);
    assert_eq!(side_car.settings.memory_bytes_max, None);
}

#[test]
fn everything_that_can_be_said_is_understood() {
    let side_car = parse(
        r#"
        tenant = "shop"
        keys = "user:*"
        enabled = false
        may_extend = true
        [parameters]
        int = -7
        hex = 0xff
        float = 2.5
        yes = true
        text = "30s"
        list = ["a", "b"]
        [limits]
        deadline = "5ms"
        memory = "4MiB"
        "#,
    )
    .unwrap();
    assert_eq!(side_car.scope, Scope::One(1));
    assert_eq!(side_car.keys.unwrap().text(), "user:*");
    assert!(!side_car.enabled && side_car.may_extend);
    assert_eq!(side_car.settings.deadline, Some(Duration::from_millis(5)));
    assert_eq!(side_car.settings.memory_bytes_max, Some(4 << 20));
    assert_eq!(side_car.settings.places["hex"], "10-x.toml:8");
    let parameters = format!("{:?}", side_car.settings.parameters);
    for given in [
        "\"int\": Int(-7)",
        "\"hex\": Int(255)",
        "\"float\": Float(2.5)",
        "\"yes\": Bool(true)",
        "\"text\": Text(\"30s\")",
        "\"list\": List([\"a\", \"b\"])",
    ] {
        assert!(parameters.contains(given), "{given} in {parameters}");
    }
    assert_eq!(parse("tenant = \"*\"").unwrap().scope, Scope::All);
}

#[test]
fn all_problems_are_told_at_once_with_their_lines() {
    let refusal = parse(
        "tenant = \"nobody\"\nkees = \"x\"\nenabled = 1\nkeys = \"a[\"\n\
         [parameters]\nwhen = 2020-01-01\nmixed = [\"a\", 1]\nhuge = 9223372036854775808\n\
         [limits]\ndeadline = \"2\"\nmemory = 5\nspeed = \"1s\"\n",
    )
    .unwrap_err();
    for said in [
        "10-x.toml:1: there is no tenant 'nobody'; there are: default, shop, and * for all",
        "10-x.toml:2: unknown key 'kees'; allowed: tenant, keys, enabled",
        "10-x.toml:3: enabled is neither true nor false",
        "10-x.toml:4: keys may hold * and ?",
        "10-x.toml:6: parameters.when is no number",
        "10-x.toml:7: parameters.mixed is an array of other things than strings",
        "10-x.toml:8: parameters.huge is beyond 64 bits",
        "10-x.toml:10: limits.deadline is '2'; allowed: 1ms to 1s",
        "10-x.toml:11: limits.memory is no string in quotes",
        "10-x.toml:12: unknown key 'limits.speed'",
    ] {
        assert!(refusal.contains(said), "'{said}' in '{refusal}'");
    }
}

#[test]
fn what_is_no_toml_is_told_with_its_line() {
    let refusal = parse("enabled = true\nkeys = \n").unwrap_err();
    assert!(refusal.starts_with("10-x.toml:2: not TOML"), "{refusal}");
    assert!(parse("limits = 3").unwrap_err().contains("write [limits]"));
}

#[test]
fn problems_beyond_ten_are_counted() {
    let text: String = (0..13).map(|number| format!("k{number} = 1\n")).collect();
    assert!(parse(&text).unwrap_err().ends_with("; and 3 more"));
}

#[test]
fn keys_are_refused_where_no_key_is_seen() {
    let side_car = parse("keys = \"a*\"").unwrap();
    let eviction = Kinds::NONE.with(Kind::Eviction);
    assert!(side_car.check_kinds("x.toml", eviction).is_err());
    assert!(
        side_car
            .check_kinds("x.toml", eviction.with(Kind::Ttl))
            .is_ok()
    );
    assert!(parse("").unwrap().check_kinds("x.toml", eviction).is_ok());
}
