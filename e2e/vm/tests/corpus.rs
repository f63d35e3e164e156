//! The fuzz targets on their corpus and on its neighbours; `make fuzz` gives them to libFuzzer.

use std::fs;
use std::time::{Duration, Instant};

use vm::random::Random;

#[path = "../../../fuzz/src/lib.rs"]
mod targets;

/// Neighbours of each file of the corpus that are tried, the same each time; fewer where that takes long.
const NEIGHBOURS: u64 = 300;
const LONGEST: Duration = Duration::from_millis(200);

#[test]
fn promises_hold_on_the_corpus_and_around_it() {
    for (name, target) in targets::TARGETS {
        let folder = vm::root().join("fuzz/corpus").join(name);
        let mut files: Vec<_> = fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()).collect();
        files.sort();
        assert!(!files.is_empty(), "{name} has no corpus");
        let mut random = Random::new(1);
        for file in files {
            let bytes = fs::read(&file).unwrap();
            println!("{}", file.display());
            target(&bytes);
            let begun = Instant::now();
            for _ in 0..NEIGHBOURS {
                if begun.elapsed() > LONGEST {
                    break;
                }
                let mut neighbour = bytes.clone();
                (0..=random.below(4)).for_each(|_| random.spoil(&mut neighbour));
                println!("{neighbour:?}");
                target(&neighbour);
            }
        }
    }
}

#[test]
fn every_target_has_a_program() {
    let programs = fs::read_dir(vm::root().join("fuzz/fuzz_targets")).unwrap();
    let mut programs: Vec<_> = programs.map(|file| file.unwrap().path()).collect();
    programs.sort();
    let programs: Vec<_> = programs.iter().map(|path| path.file_stem().unwrap().to_str().unwrap()).collect();
    let mut names: Vec<_> = targets::TARGETS.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    assert_eq!(programs, names);
}
