//! src/memory/throttle/tests/measured.rs: what the buckets of this process take of its memory.
//! `scripts/throttle-memory` prints the figures.

use std::process::Command;

use super::*;

/// Resident bytes of this process.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

/// Runs the test of this name in a process of its own, where no other takes memory too.
fn alone(name: &str, measure: impl FnOnce()) {
    const ALONE: &str = "THROTTLE_MEMORY_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return measure();
    }
    let mut alone = Command::new(std::env::current_exe().unwrap());
    let name = format!("memory::throttle::tests::measured::{name}");
    let alone = alone.args(["--exact", &name, "--nocapture"]).env(ALONE, "1");
    assert!(alone.status().unwrap().success());
}

#[test]
fn a_flood_of_made_up_names_and_addresses_takes_no_more_memory_than_its_places() {
    alone("a_flood_of_made_up_names_and_addresses_takes_no_more_memory_than_its_places", flood);
}

#[test]
fn an_account_that_knows_ten_devices_takes_at_most_so_much_memory() {
    alone("an_account_that_knows_ten_devices_takes_at_most_so_much_memory", devices);
}

#[allow(clippy::print_stdout, reason = "the figures")]
fn flood() {
    const PLACES: usize = 100_000;
    let rounds = std::env::var("THROTTLE_ROUNDS").map_or(6, |rounds| rounds.parse().unwrap());
    // What the allocator takes once, and not for this.
    strangers(&Throttles::new(1_000), 0, 1_000, NOW);

    let (store, empty) = (Throttles::new(PLACES), resident());
    strangers(&store, 0, PLACES as u32 / 2, NOW);
    let full = resident();
    assert_eq!(strangers(&store, 5_000_000, 20_000, NOW), 10, "all places are taken");
    let flooded = resident();
    // Whoever waits until others have drained gets their places.
    for round in 1..=rounds {
        let now = NOW.after(Duration::from_secs(120 * round));
        strangers(&store, 10_000_000 + 20_000 * round as u32, 20_000, now);
    }
    let each = |bytes: usize| bytes.saturating_sub(empty) / PLACES;
    let (entries, turned) = (store.sizes().1[0], resident());
    println!("{PLACES} entries of the throttle in memory, bytes each:");
    println!("  an account or an address  {} (at most 200)", each(full));
    println!("  and 20,000 beyond         {}", each(flooded));
    println!("  {:9} later ones       {} (at most 320)", 20_000 * rounds, each(turned));
    assert!(entries <= PLACES, "{entries}");
    assert!(each(full) <= 200 && each(turned) <= 320);
    assert!(flooded <= full + (1 << 20), "{full} and {flooded}");
}

#[allow(clippy::print_stdout, reason = "the figures")]
fn devices() {
    let acquaint = |store: &Throttles, accounts: std::ops::Range<u32>, devices: u32| {
        for (account, device) in accounts.flat_map(|n| (0..devices).map(move |device| (n, device)))
        {
            let id = Digest::of(&[account.to_be_bytes(), device.to_be_bytes()].concat());
            let one = attempt(&account.to_string(), 1);
            let success = Success { paid: true, device: Some(id) };
            Limiter::succeeded(store, &one, &success, NOW, &rules());
        }
    };
    acquaint(&Throttles::new(1_000), 0..1_000, 10);
    let (store, empty) = (Throttles::new(100_000), resident());
    acquaint(&store, 0..20_000, 1);
    let one = (resident() - empty) / 20_000;
    let before = resident();
    acquaint(&store, 20_000..40_000, 10);
    let ten = (resident() - before) / 20_000;
    println!("accounts with known devices in memory, bytes each:");
    println!("  an account's one device   {one} (at most 500)");
    println!("  its ten devices           {ten} (at most 1,600)");
    assert!(one <= 500 && ten <= 1_600, "{one} and {ten} bytes");
}
