//! The trie beside a map: thousands of changes, every version kept and read again.

use super::*;

type Model = BTreeMap<(String, String), String>;

/// A few types, of which one has most entries, as in rooms; state keys of all lengths, event ids of both kinds.
fn name(random: &mut Random) -> (String, String) {
    let event_type = match random.below(8) {
        0 => "m.room.name".to_owned(),
        1 => format!("org.example.{}", random.below(40)),
        2 => String::new(),
        _ => "m.room.member".to_owned(),
    };
    let key = match random.below(10) {
        0 => String::new(),
        1 => format!("{}{}", "long".repeat(100), random.below(60)),
        2 => format!("ключ\u{0}{}", random.below(20)),
        _ => user(random.below(150)),
    };
    (event_type, key)
}

fn value(random: &mut Random) -> String {
    match random.below(6) {
        0 => format!("$old{}:example.org", random.below(1_000)),
        1 => String::new(),
        _ => event_id(random.below(1_000)),
    }
}

/// One to many changes; removals are as frequent as the round wants, so states grow and shrink.
fn step(random: &mut Random, model: &mut Model, removals_in_ten: usize) -> Vec<Change> {
    let batch = if random.below(10) == 0 {
        1 + random.below(80)
    } else {
        1
    };
    let mut changes = Vec::new();
    for _ in 0..batch {
        let (event_type, key) = name(random);
        if random.below(10) < removals_in_ten {
            changes.push(Change::remove(&event_type, &key).unwrap());
            model.remove(&(event_type, key));
        } else {
            let id = value(random);
            changes.push(Change::set(&event_type, &key, &id).unwrap());
            model.insert((event_type, key), id);
        }
    }
    changes
}

fn agrees(store: &Memory, state: State, model: &Model) {
    assert_eq!(&listed(store, state), model);
    assert_eq!(state.entry_count(store).unwrap(), model.len() as u64);
}

fn run(seed: u64, steps: usize) -> usize {
    let mut random = Random(seed);
    let mut store = Memory::default();
    let mut versions = vec![(State::EMPTY, Model::new())];
    for at in 0..steps {
        let (state, mut model) = versions.last().unwrap().clone();
        let removals_in_ten = if at / 200 % 2 == 0 { 2 } else { 8 };
        let changes = step(&mut random, &mut model, removals_in_ten);
        let state = state.apply(&mut store, changes).unwrap();
        let (event_type, key) = name(&mut random);
        let expected = model.get(&(event_type.clone(), key.clone())).cloned();
        assert_eq!(state.get(&store, &event_type, &key).unwrap(), expected);
        if at % 50 == 0 {
            assert_eq!(state.check(&store).unwrap(), model.len() as u64);
        }
        versions.push((state, model));
    }
    equal_roots_are_equal_states(&versions);
    versions
        .iter()
        .for_each(|(state, model)| agrees(&store, *state, model));
    versions.iter().map(|(_, model)| model.len()).max().unwrap()
}

fn equal_roots_are_equal_states(versions: &[(State, Model)]) {
    let roots: BTreeMap<State, &Model> = versions.iter().map(|(state, model)| (*state, model)).collect();
    let models: BTreeMap<&Model, State> = versions.iter().map(|(state, model)| (model, *state)).collect();
    assert_eq!(roots.len(), models.len());
    assert!(
        versions
            .iter()
            .all(|(state, model)| roots.get(state) == Some(&model))
    );
}

#[test]
fn states_agree_with_a_map() {
    for seed in 0..2 {
        assert!(
            run(seed, 1_000) > 150,
            "the states of seed {seed} stay too small to try branches"
        );
    }
}

#[test]
fn colliding_keys_agree_with_a_map() {
    with_every_mask(|| {
        assert!(run(7, 300) > BUCKET_MAX_ENTRIES);
    });
}
