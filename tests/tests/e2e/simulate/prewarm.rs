//! `larder simulate --prewarm`: what is fetched ahead, beside nothing and beside an oracle.

use super::*;

fn playlists() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("playlists.oracleGeneral");
    let generator = Generator {
        requests: 60_000,
        playlist_share: 1.0,
        playlists: 200,
        one_hit_share: 0.0,
        scan_share: 0.0,
        ..Generator::default()
    };
    let mut out = BufWriter::new(File::create(&path).unwrap());
    write(&generator.records(), &mut out).unwrap();
    drop(out);
    (folder, path)
}

#[test]
fn each_cache_is_run_without_with_and_as_an_oracle_would() {
    let (_folder, path) = playlists();
    let args = [
        "--policy", "lru", "--policy", "belady", "--size", "10%", "--format", "json",
    ];
    let with = |prewarm: &str| {
        let finished = simulate(&path, &[&args[..], &[prewarm]].concat());
        assert!(finished.status.success(), "{finished:?}");
        finished.stdout
    };
    let text = with("--prewarm=share_percent=20");
    let rows: Json = serde_json::from_str(&text).unwrap();
    let rows = rows.as_array().unwrap();
    let modes: Vec<_> = rows
        .iter()
        .map(|row| (&row["policy"], &row["prewarm"]))
        .collect();
    assert_eq!(
        modes,
        [
            ("lru", "off"),
            ("lru", "on"),
            ("lru", "oracle"),
            ("belady", "off")
        ]
        .map(|(policy, mode)| (Json::from(policy), Json::from(mode)))
        .iter()
        .map(|(policy, mode)| (policy, mode))
        .collect::<Vec<_>>()
    );
    let number = |row: usize, name: &str| rows[row][name].as_f64().unwrap();
    assert!(
        number(1, "miss_ratio") < 0.7 * number(0, "miss_ratio"),
        "{text}"
    );
    assert!(number(2, "miss_ratio") < number(1, "miss_ratio"), "{text}");
    assert!(
        number(1, "precision") > 0.6 && number(1, "recall") > 0.2,
        "{text}"
    );
    assert!(number(1, "wasted") < 1.0, "{text}");
    assert_eq!(rows[0]["precision"], Json::Null);
}

#[test]
fn what_prewarming_cannot_do_is_refused() {
    let (_folder, path) = playlists();
    for (args, why) in [
        (&["--prewarm=x=1"][..], "there are horizon_seconds"),
        (&["--prewarm", "--l2", "10%"], "cannot be used with"),
    ] {
        let finished = simulate(&path, &[&["--policy", "lru"], args].concat());
        assert_eq!(finished.status.code(), Some(2));
        assert!(finished.stderr.contains(why), "{finished:?}");
    }
}
