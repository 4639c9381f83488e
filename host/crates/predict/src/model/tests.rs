use super::*;
use crate::features::FEATURES;
use crate::keyed::mix;

/// Asked for where the third feature is high, but for one in ten.
fn samples(count: u64) -> Vec<Sample> {
    let sample = |number| {
        let mut row: Row = std::array::from_fn(|feature| {
            (mix(number * 31 + feature as u64) % 1000) as f32 / 1000.0
        });
        row[5] *= 1_000.0;
        let is_odd = mix(number).is_multiple_of(10);
        Sample {
            row,
            is_asked: (row[2] > 0.6) != is_odd,
            is_drawn: false,
        }
    };
    (1..=count).map(sample).collect()
}

fn rows(third: f32) -> [Row; 1] {
    let mut row = [0.5; FEATURES];
    row[2] = third;
    [row]
}

#[test]
fn it_learns_and_scores_as_what_was_seen() {
    let model = Model::train(&samples(6_000), 1).unwrap();
    let high = model.scores(&rows(0.95)).unwrap()[0];
    let low = model.scores(&rows(0.1)).unwrap()[0];
    assert!((high - 0.9).abs() < 0.1, "{high}");
    assert!((low - 0.1).abs() < 0.1, "{low}");
    assert!(model.scores(&[]).unwrap().is_empty());
}

#[test]
fn the_same_samples_and_seed_make_the_same_model() {
    let bytes = |seed| {
        let model = Model::train(&samples(2_000), seed);
        model.unwrap().to_bytes().unwrap()
    };
    assert!(bytes(1) == bytes(1));
    assert!(bytes(1) != bytes(2));
}

#[test]
fn a_file_is_read_as_it_was_written_and_nothing_else_is() {
    let model = Model::train(&samples(2_000), 1).unwrap();
    let bytes = model.to_bytes().unwrap();
    let read = Model::from_bytes(&bytes).unwrap();
    for third in [0.0, 0.3, 0.7, 1.0] {
        let asked = rows(third);
        assert_eq!(read.scores(&asked).unwrap(), model.scores(&asked).unwrap());
    }
    let told = |bytes: &[u8]| Model::from_bytes(bytes).unwrap_err().to_string();
    assert!(told(b"PNG").contains("no model of larder"));
    assert!(told(&bytes[..10]).contains("damaged"));
    assert!(told(&bytes[..bytes.len() - 1]).contains("damaged"));
    let mut turned = bytes.clone();
    turned[bytes.len() / 2] ^= 1;
    assert!(told(&turned).contains("damaged"));
    turned[8] = 9;
    assert!(told(&turned).contains("version 9"), "{}", told(&turned));
}

#[test]
fn where_all_are_asked_for_it_says_so_of_any() {
    let mut all = samples(1_000);
    all.iter_mut().for_each(|sample| sample.is_asked = true);
    let model = Model::train(&all, 1).unwrap();
    let scores = [0.0, 0.5, 1.0].map(|third| model.scores(&rows(third)).unwrap()[0]);
    assert_eq!(scores, [1.0; 3]);
}

#[test]
fn what_nothing_can_be_learnt_from_is_refused_with_a_reason() {
    let refused = |samples: &[Sample]| {
        let trained = Model::train(samples, 1);
        trained.unwrap_err().to_string()
    };
    assert!(refused(&[]).contains("too few data: 0 candidates"));
    assert!(refused(&samples(100)).contains("too few data"));
    let mut alike = samples(1_000);
    alike
        .iter_mut()
        .for_each(|sample| sample.row = [1.0; FEATURES]);
    assert!(refused(&alike).contains("look alike"));
    alike.iter_mut().for_each(|sample| sample.is_asked = false);
    let none = "0 candidates were asked for and 1000 were not";
    assert!(refused(&alike).contains(none));
}
