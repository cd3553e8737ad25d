//! src/jwt/source/tests/running.rs: what a running process makes of a directory that changes.

use std::os::unix::fs::symlink;
use std::sync::atomic::AtomicBool;

use super::*;

#[tokio::test]
async fn a_change_counts_when_two_looks_in_a_row_agree() {
    let folder = Folder::new();
    folder.write("a.jwk", private("a", Some(1)));
    let mut run = folder.run();
    assert!(run.settle().await.is_empty(), "nothing changed, nothing is said");
    folder.write("b.jwk", private("b", Some(5000)));
    assert!(run.look().await.is_empty());
    assert_eq!(run.kids(), ["a"]);
    let lines = run.look().await;
    assert_eq!(run.kids(), ["a", "b"]);
    let place = folder.0.display();
    assert_eq!(
        lines,
        [format!("the keys in {place} changed: added b; a signs now, b from 1970-01-01T01:23:20Z")]
    );
    folder.remove("a.jwk");
    folder.write("b.jwk", private("b", Some(900)));
    let lines = run.settle().await;
    assert_eq!(lines, [format!("the keys in {place} changed: removed a; changed b; b signs now")]);
}

#[tokio::test]
async fn a_half_written_file_costs_the_key_that_it_replaces_nothing() {
    let folder = Folder::new();
    let (old, new) = (private("a", Some(1)), private("a", Some(2)));
    folder.write("a.jwk", &old);
    let mut run = folder.run();
    for part in [10, new.len() / 2, new.len() - 1, new.len()] {
        folder.write("a.jwk", &new[..part]);
        assert!(run.look().await.is_empty());
        assert_eq!((run.kids(), run.not_before("a")), (vec!["a".to_owned()], Some(1)));
    }
    assert_eq!(run.look().await.len(), 1);
    assert_eq!(run.not_before("a"), Some(2));
}

#[tokio::test]
async fn a_directory_that_never_settles_counts_with_the_fifth_look() {
    let folder = Folder::new();
    folder.write("a.jwk", private("a", Some(1)));
    let mut run = folder.run();
    folder.remove("a.jwk");
    for look in 1..=5 {
        assert_eq!(run.kids(), ["a"], "before look {look}");
        folder.write("b.jwk", private("b", Some(look)));
        run.look().await;
    }
    assert_eq!((run.kids(), run.not_before("b")), (vec!["b".to_owned()], Some(5)));
    assert!(4 * watch::LOOK_EVERY <= Duration::from_secs(10));
}

#[tokio::test]
async fn a_removed_file_is_a_retired_key_even_the_last_one() {
    let folder = Folder::new();
    folder.write("a.jwk", private("a", None));
    let mut run = folder.run();
    folder.remove("a.jwk");
    let lines = run.settle().await;
    assert!(run.kids().is_empty());
    assert!(lines[0].starts_with("RI030 ") && lines[0].contains("no usable key"), "{lines:?}");
    assert!(lines[1].ends_with("changed: removed a; no key signs now"), "{lines:?}");
    assert!(run.settle().await.is_empty());
}

#[tokio::test]
async fn a_bad_file_is_skipped_and_reported_once_for_each_change_of_it() {
    let folder = Folder::new();
    folder.write("a.jwk", private("a", Some(1)));
    let mut run = folder.run();
    for content in ["{", "[", WEAK] {
        folder.write("bad.jwk", content);
        let lines = run.settle().await;
        assert_eq!(lines.len(), 1, "{lines:?}");
        let code = if content == WEAK { "RI028" } else { "RI029" };
        assert!(lines[0].starts_with(code) && lines[0].contains("/bad.jwk is "), "{lines:?}");
        assert!(run.settle().await.is_empty());
    }
    folder.write("b.jwk", private("b", Some(2)));
    let lines = run.settle().await;
    assert_eq!(lines.len(), 1, "the bad file did not change: {lines:?}");
    assert_eq!(run.kids(), ["a", "b"]);
    folder.write("README", "");
    assert!(run.settle().await[0].contains("/README is ignored"));
    folder.chmod("b.jwk", 0o644);
    let lines = run.settle().await;
    assert!(lines.len() == 1 && lines[0].starts_with("RI031 "), "{lines:?}");
}

#[tokio::test]
async fn of_two_files_of_one_kid_the_one_that_was_there_stays() {
    let folder = Folder::new();
    folder.write("a.jwk", private("a", Some(7)));
    folder.write("z.jwk", private("z", Some(1)));
    let mut run = folder.run();
    folder.write("a.pem", PEM);
    let lines = run.settle().await;
    assert!(lines.len() == 1 && lines[0].starts_with("RI028 "), "{lines:?}");
    assert!(lines[0].contains("a.jwk was there before and stays"), "{lines:?}");
    assert_eq!((run.kids().len(), run.not_before("a")), (2, Some(7)));
    // Both are new: chance must not decide.
    folder.write("a.jwk", private("a", Some(8)));
    let lines = run.settle().await;
    assert!(lines[0].contains("none of them is used"), "{lines:?}");
    assert_eq!(run.kids(), ["z"]);
    folder.remove("a.pem");
    run.settle().await;
    assert_eq!(run.not_before("a"), Some(8));
}

#[tokio::test]
async fn a_directory_that_cannot_be_read_leaves_the_last_good_set_and_is_reported_once() {
    let folder = Folder::new();
    folder.write("a.jwk", private("a", Some(1)));
    let mut run = folder.run();
    let aside = folder.0.with_extension("aside");
    fs::rename(&folder.0, &aside).unwrap();
    let lines = run.settle().await;
    assert!(lines.len() == 1 && lines[0].starts_with("RI030 "), "{lines:?}");
    assert!(lines[0].contains("read last stay in use"), "{lines:?}");
    fs::write(&folder.0, "a file in its place").unwrap();
    for _ in 0..20 {
        assert!(run.look().await.is_empty());
    }
    assert_eq!(run.kids(), ["a"]);
    fs::remove_file(&folder.0).unwrap();
    fs::rename(&aside, &folder.0).unwrap();
    let lines = run.settle().await;
    assert_eq!(lines, [format!("{} can be read again", folder.0.display())]);
    fs::rename(&folder.0, &aside).unwrap();
    assert_eq!(run.settle().await.len(), 1, "a second time is another report");
    fs::rename(&aside, &folder.0).unwrap();
}

#[tokio::test]
async fn a_key_without_nbf_signs_a_minute_after_it_was_first_seen_and_keeps_that_moment() {
    let folder = Folder::new();
    folder.write("a.jwk", private("a", None));
    let mut run = folder.run();
    folder.write("b.jwk", private("b", None));
    folder.write("c.jwk", secret_key("c"));
    folder.write("d.jwk", public("d"));
    run.settle().await;
    assert_eq!(run.not_before("a"), None, "it was there at launch");
    assert_eq!(run.not_before("b"), Some(1060));
    assert_eq!(run.not_before("c"), Some(1060));
    assert_eq!(run.not_before("d"), None, "it has nothing to sign with");
    let signer = |run: &Run| run.keys.current().signer(run.clock.now()).unwrap().kid().to_owned();
    run.clock.advance(Duration::from_secs(59));
    assert_eq!(signer(&run), "a");
    folder.write("e.jwk", private("e", Some(3)));
    run.settle().await;
    assert_eq!((run.not_before("b"), run.not_before("e")), (Some(1060), Some(3)));
    run.clock.advance(Duration::from_secs(1));
    assert_eq!(signer(&run), "c", "of two that begin together the greater name");
    folder.write("b.jwk", private("b", None));
    run.settle().await;
    assert_eq!(run.not_before("b"), Some(1120), "another content is another key");
}

/// A volume of Kubernetes: `a.jwk -> ..data/a.jwk`, `..data -> ..N`, and a new `..N` renamed over it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_swap_of_links_never_hides_a_key_that_is_in_both_versions() {
    let folder = Folder::new();
    let (stays, version) = (private("stays", Some(1)), |n: u32| format!("..{n}"));
    let fill = |n: u32| {
        let inner = folder.path(&version(n));
        fs::create_dir(&inner).unwrap();
        write(&inner.join("stays.jwk"), &stays);
        write(&inner.join("turns.jwk"), private("turns", Some(u64::from(n) + 2)));
    };
    fill(0);
    symlink(version(0), folder.path("..data")).unwrap();
    for name in ["stays.jwk", "turns.jwk"] {
        symlink(Path::new("..data").join(name), folder.path(name)).unwrap();
    }
    let run = folder.run();
    let keys = run.keys.clone();
    let watch = run.watcher.every(Duration::from_millis(2));
    let stop = Arc::new(AtomicBool::new(false));
    let (reader, done) = (keys.clone(), stop.clone());
    let reading = std::thread::spawn(move || {
        let mut looks = 0_u64;
        while !done.load(Ordering::Relaxed) {
            let set = reader.current();
            assert_eq!(set.iter().count(), 2, "{set:?}");
            looks += 1;
        }
        looks
    });
    for n in 1..=60 {
        fill(n);
        symlink(version(n), folder.path("..data_tmp")).unwrap();
        fs::rename(folder.path("..data_tmp"), folder.path("..data")).unwrap();
        fs::remove_dir_all(folder.path(&version(n - 1))).unwrap();
        tokio::time::sleep(Duration::from_millis(u64::from(n % 12))).await;
    }
    let turned = || {
        let set = keys.current();
        set.iter().find(|key| key.kid() == "turns").unwrap().not_before() == Some(62)
    };
    for _ in 0..1000 {
        if turned() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    stop.store(true, Ordering::Relaxed);
    assert!(reading.join().unwrap() > 0);
    assert!(turned(), "the last version was never taken");
    drop(watch);
}

#[tokio::test]
async fn the_watch_ends_when_it_is_dropped() {
    let folder = Folder::new();
    folder.write("a.jwk", private("a", None));
    let opened = folder.open(1000).await.unwrap();
    assert_eq!(Arc::strong_count(&opened.keys), 2);
    drop(opened.watch);
    for _ in 0..1000 {
        if Arc::strong_count(&opened.keys) == 1 {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(Arc::strong_count(&opened.keys), 1);
}
