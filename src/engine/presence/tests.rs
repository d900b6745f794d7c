use super::*;

fn claimed(folder: &Path) -> Presence {
    match Presence::claim(folder).unwrap() {
        Claim::Ours(presence) => presence,
        Claim::Of(other) => panic!("of {other:?}"),
    }
}

fn elsewhere() -> Holder {
    Holder {
        host: "node17".into(),
        boot: "another".into(),
        ..Holder::own().clone()
    }
}

fn leave(folder: &Path, holder: &Holder) {
    fs::write(lock_path(folder), holder.line()).unwrap();
    fs::write(heartbeat_path(folder), "1\n").unwrap();
}

#[test]
fn a_folder_has_one_holder_and_nothing_is_left_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    assert_eq!(look(folder), None);
    let presence = claimed(folder);
    let own = Some(Holder::own().clone());
    assert_eq!(
        look(folder),
        Some(Sign {
            holder: own.clone()
        })
    );
    assert!(matches!(Presence::claim(folder).unwrap(), Claim::Of(other) if other == own));
    drop(presence);
    assert_eq!(look(folder), None);
    let left: Vec<_> = fs::read_dir(folder).unwrap().flatten().collect();
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(fs::read(lock_path(folder)).unwrap(), b"");
    drop(claimed(folder));
}

#[test]
fn wishes_reach_their_holder_and_not_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    assert!(
        send(folder, Wish::Stop)
            .unwrap_err()
            .to_string()
            .contains("nobody")
    );
    let presence = claimed(folder);
    send(folder, Wish::Stop).unwrap();
    let mut observer = |_: crate::engine::job::Event| Verdict::Continue;
    while presence.mind(&mut observer) == Verdict::Continue {
        thread::yield_now();
    }
    drop(presence);
    fs::write(lock_path(folder), elsewhere().line()).unwrap();
    send(folder, Wish::Stop).unwrap();
    let presence = claimed(folder);
    assert_eq!(presence.wish(), Wish::Go);
    assert_eq!(wish::read(folder), None);
}

#[test]
fn an_older_program_is_watched_only() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(lock_path(folder.path()), "4711\n").unwrap();
    let refused = send(folder.path(), Wish::Hold).unwrap_err().to_string();
    assert!(refused.contains("older hawqeye"), "{refused}");
    assert_eq!(look(folder.path()), None);
    drop(claimed(folder.path()));
}

#[test]
fn a_heartbeat_from_elsewhere_keeps_others_out_and_a_silent_one_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    leave(folder, &elsewhere());
    assert!(look(folder).is_some_and(|sign| sign.holder == Some(elsewhere())));
    let (ended, beat) = std::sync::mpsc::channel::<()>();
    let path = heartbeat_path(folder);
    let beating = thread::spawn(move || {
        let mut number = 1;
        while beat
            .recv_timeout(PAUSE)
            .is_err_and(|e| e == std::sync::mpsc::RecvTimeoutError::Timeout)
        {
            number += 1;
            fs::write(&path, format!("{number}\n")).unwrap();
        }
    });
    assert!(
        matches!(Presence::claim(folder).unwrap(), Claim::Of(Some(other)) if other == elsewhere())
    );
    drop(ended);
    beating.join().unwrap();
    let long_ago = std::time::SystemTime::now() - 2 * STALE;
    let heartbeat = File::options()
        .write(true)
        .open(heartbeat_path(folder))
        .unwrap();
    heartbeat.set_modified(long_ago).unwrap();
    assert_eq!(look(folder), None);
    drop(claimed(folder));
}

#[test]
fn who_ended_on_this_machine_is_known_to_be_gone_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let gone = Holder {
        process: u32::MAX,
        ..Holder::own().clone()
    };
    leave(folder.path(), &gone);
    assert_eq!(look(folder.path()), None);
    let begin = Instant::now();
    drop(claimed(folder.path()));
    assert!(begin.elapsed() < LISTENING);
}

#[test]
fn a_folder_that_is_made_anew_is_not_ours() {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("run");
    fs::create_dir(&folder).unwrap();
    let presence = claimed(&folder);
    presence.check().unwrap();
    fs::remove_dir_all(&folder).unwrap();
    let refused = presence.check().unwrap_err().to_string();
    assert!(refused.contains("removed or replaced"), "{refused}");
    fs::create_dir(&folder).unwrap();
    let next = claimed(&folder);
    assert!(presence.check().is_err());
    drop(presence);
    next.check().unwrap();
}

#[test]
fn who_was_taken_over_from_elsewhere_writes_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let presence = claimed(folder.path());
    fs::write(lock_path(folder.path()), elsewhere().line()).unwrap();
    let refused = presence.check().unwrap_err().to_string();
    assert!(refused.contains("on node17"), "{refused}");
}
