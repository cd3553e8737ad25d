//! src/jwt/source/tests/faults.rs: a machine that fails, and a directory that does not answer.

use std::io::{self, ErrorKind};
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::channel;

use super::*;
use crate::jwt::source::files::Look;

const CHILD: &str = "ROCKET_IDENTITY_FEW_DESCRIPTORS";

/// This test in a process of its own, which may open few files.
#[test]
#[cfg(target_os = "linux")]
fn without_a_free_descriptor_no_key_is_retired() {
    if std::env::var_os(CHILD).is_some() {
        return without_descriptors();
    }
    let name = "jwt::source::tests::faults::without_a_free_descriptor_no_key_is_retired";
    let output = std::process::Command::new("sh")
        .args(["-c", "ulimit -n 64; exec \"$0\" --exact \"$1\" --nocapture"])
        .arg(std::env::current_exe().unwrap())
        .arg(name)
        .env(CHILD, "1")
        .output()
        .unwrap();
    let (out, err) = (output.stdout, output.stderr);
    let text = String::from_utf8_lossy(&[out, err].concat()).into_owned();
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

#[cfg(target_os = "linux")]
#[tokio::main(flavor = "current_thread")]
async fn without_descriptors() {
    let folder = Folder::new();
    folder.write("a.jwk", private("a", Some(1)));
    folder.write("b.jwk", private("b", Some(2)));
    let mut run = folder.run();
    let mut taken: Vec<_> = (0..).map_while(|_| fs::File::open("/dev/null").ok()).collect();
    taken.pop(); // one is left, which the listing of the directory takes
    let mut lines = run.settle().await;
    for _ in 0..6 {
        lines.extend(run.settle().await);
    }
    assert_eq!(run.kids(), ["a", "b"]);
    assert!(lines.len() == 1 && lines[0].starts_with("RI030 "), "{lines:?}");
    assert!(
        lines[0].contains("a.jwk: Too many open files") || lines[0].contains("b.jwk: Too many")
    );
    assert!(matches!(files::look(&folder.0), Err(error) if error.raw_os_error() != Some(2)));
    drop(taken);
    assert_eq!(run.settle().await, [format!("{} can be read again", folder.0.display())]);
    assert_eq!(run.kids(), ["a", "b"]);
}

/// Looks that a test changes before they are taken, or that it lets hang.
fn reader(
    folder: &Folder,
    change: impl Fn(io::Result<Look>) -> io::Result<Look> + Send + Sync + 'static,
) -> Reader {
    let read = move |directory: &Path| change(files::look(directory));
    Reader::by(folder.0.clone(), Duration::from_millis(50), read)
}

/// Tests run as root, who may read everything.
fn denied(look: io::Result<Look>, name: &str) -> io::Result<Look> {
    let mut look = look?;
    let is_it = |path: &Path| path.file_name().is_some_and(|own| own == name);
    for file in look.files.iter_mut().filter(|file| is_it(&file.path)) {
        file.content = Err(ErrorKind::PermissionDenied.into());
        file.digest = crate::secret::Digest::of(b"denied");
        look.digest = crate::secret::Digest::of(&[look.digest.as_bytes(), &b"denied"[..]].concat());
    }
    Ok(look)
}

#[tokio::test]
async fn a_file_that_may_not_be_read_any_more_keeps_its_key_until_it_is_removed() {
    let folder = Folder::new();
    folder.write("a.jwk", private("a", None));
    folder.write("b.jwk", private("b", Some(2)));
    let deny = Arc::new(AtomicBool::new(false));
    let denies = deny.clone();
    let mut run = folder.run_with(reader(&folder, move |look| {
        if denies.load(Ordering::SeqCst) { denied(look, "a.jwk") } else { look }
    }));
    deny.store(true, Ordering::SeqCst);
    let lines = run.settle().await;
    assert!(lines.len() == 1 && lines[0].starts_with("RI029 "), "{lines:?}");
    assert!(lines[0].contains("a.jwk may not be read any more"), "{lines:?}");
    assert!(lines[0].contains("remove the file to retire its key"), "{lines:?}");
    // Another key can still be retired, and a new name for the kept one is a twin.
    folder.remove("b.jwk");
    let lines = run.settle().await;
    assert!(lines.len() == 1 && lines[0].contains("removed b; a signs now"), "{lines:?}");
    assert_eq!(run.kids(), ["a"]);
    folder.remove("a.jwk");
    run.settle().await;
    assert!(run.kids().is_empty(), "a file that is gone is a retired key");
    // One that was never read is skipped.
    folder.write("a.jwk", private("a", Some(3)));
    assert!(run.settle().await.iter().any(|line| line.contains("a.jwk is skipped")));
    assert!(run.kids().is_empty());
    deny.store(false, Ordering::SeqCst);
    run.settle().await;
    assert_eq!(run.kids(), ["a"]);
}

#[tokio::test]
async fn a_look_that_hangs_leaves_the_last_good_set_and_no_second_one_begins() {
    let folder = Folder::new();
    folder.write("a.jwk", private("a", Some(1)));
    let (hangs, looks) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicUsize::new(0)));
    let (answer, server) = channel::<()>();
    let (stuck, count, server) = (hangs.clone(), looks.clone(), Mutex::new(server));
    let mut run = folder.run_with(reader(&folder, move |look| {
        count.fetch_add(1, Ordering::SeqCst);
        if stuck.load(Ordering::SeqCst) {
            let _ = server.lock().unwrap().recv();
        }
        look
    }));
    let mut lines = run.look().await;
    folder.remove("a.jwk");
    folder.write("b.jwk", private("b", Some(2)));
    for _ in 0..20 {
        lines.extend(run.look().await);
    }
    assert!(lines.len() == 1 && lines[0].starts_with("RI030 "), "{lines:?}");
    assert!(lines[0].contains("does not answer") && lines[0].contains("stay in use"), "{lines:?}");
    assert_eq!((run.kids(), looks.load(Ordering::SeqCst)), (vec!["a".to_owned()], 1));
    hangs.store(false, Ordering::SeqCst);
    answer.send(()).unwrap();
    let mut lines = Vec::new();
    while lines.is_empty() {
        lines = run.look().await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(lines, [format!("{} can be read again", folder.0.display())]);
    assert_eq!(run.kids(), ["a"], "what the hanging look found is of another time");
    run.look().await;
    assert_eq!(run.kids(), ["b"]);
}

#[tokio::test]
async fn patience_counts_neither_a_look_that_failed_nor_one_that_is_torn() {
    let folder = Folder::new();
    folder.write("a.jwk", private("a", Some(1)));
    let torn = Arc::new(AtomicBool::new(false));
    let tears = torn.clone();
    let mut run = folder.run_with(reader(&folder, move |look| {
        look.map(|look| Look { torn: look.torn || tears.load(Ordering::SeqCst), ..look })
    }));
    folder.remove("a.jwk");
    let mut turn = 0;
    let mut other = || {
        turn += 1;
        folder.write("b.jwk", private("b", Some(turn)));
    };
    for _ in 0..4 {
        other();
        run.look().await;
    }
    torn.store(true, Ordering::SeqCst);
    for _ in 0..6 {
        other();
        run.look().await;
    }
    assert_eq!(run.kids(), ["a"]);
    torn.store(false, Ordering::SeqCst);
    let aside = folder.0.with_extension("aside");
    fs::rename(&folder.0, &aside).unwrap();
    assert_eq!(run.look().await.len(), 1, "it failed");
    fs::rename(&aside, &folder.0).unwrap();
    for _ in 0..4 {
        other();
        run.look().await;
        assert_eq!(run.kids(), ["a"]);
    }
    other();
    run.look().await;
    assert_eq!(run.kids(), ["b"]);
}

#[tokio::test]
async fn a_link_that_leads_nowhere_is_not_taken_for_a_change() {
    let folder = Folder::new();
    folder.write("a.jwk", private("a", Some(1)));
    for (name, target) in [("b.jwk", "gone"), ("c.jwk", "c.jwk"), ("d.jwk", "a.jwk/x")] {
        std::os::unix::fs::symlink(target, folder.path(name)).unwrap();
    }
    let look = files::look(&folder.0).unwrap();
    assert!(!look.torn && look.files.len() == 4);
    let opened = folder.open(1000).await.unwrap();
    assert_eq!((kids(&opened.keys), codes(&opened.findings).len()), (vec!["a".to_owned()], 3));
}
