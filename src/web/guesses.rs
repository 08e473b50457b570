//! Tokens that were wrong lately, by the address that they came from. Whoever guesses closes the door for their own
//! address, and for nobody who was let in from there before.

use std::collections::hash_map::RandomState;
use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher as _;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};

use crate::clock::{Clock as _, Machine};

/// Different wrong tokens from an address within a minute before nobody else is let in from there for the rest of
/// it. One that is sent again and again, as by a program with an old token, is no guess.
const WRONG_MAX: usize = 20;
const MINUTE_MS: u64 = 60_000;

/// Addresses that are remembered at once.
const ADDRESSES_MAX: usize = 4_096;

/// From where a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Peer(pub(super) IpAddr);

/// The tokens of late, as digests that only this process knows.
#[derive(Default)]
pub(super) struct Guesses {
    digests: RandomState,
    of: Mutex<HashMap<IpAddr, Tokens>>,
}

#[derive(Default)]
struct Tokens {
    since_ms: u64,
    wrong: HashSet<u64>,
    right: HashSet<u64>,
}

/// So many were wrong that the next one is not looked at.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooMany;

impl Guesses {
    /// `whose` a token is that came from `peer`, if it may be looked at.
    pub(super) fn look<T>(&self, peer: Peer, token: &str, whose: Option<T>) -> Result<Option<T>, TooMany> {
        self.look_at(Machine.uptime_ms(), peer, token, whose)
    }

    /// Whether so many were wrong that one from `peer` is not looked at, unless it was right before.
    pub(super) fn is_closed(&self, peer: Peer, token: &str) -> bool {
        let digest = self.digests.hash_one(token);
        let of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Machine.uptime_ms();
        of.get(&around(peer.0)).is_some_and(|tokens| {
            let is_over = now.saturating_sub(tokens.since_ms) > MINUTE_MS;
            !is_over && tokens.wrong.len() >= WRONG_MAX && !tokens.right.contains(&digest)
        })
    }

    fn look_at<T>(&self, now: u64, peer: Peer, token: &str, whose: Option<T>) -> Result<Option<T>, TooMany> {
        let (digest, address) = (self.digests.hash_one(token), around(peer.0));
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = |tokens: &Tokens| now.saturating_sub(tokens.since_ms) > MINUTE_MS;
        if of.len() >= ADDRESSES_MAX && !of.contains_key(&address) {
            of.retain(|_, tokens| !is_over(tokens) || !tokens.right.is_empty());
            if of.len() >= ADDRESSES_MAX {
                return Err(TooMany);
            }
        }
        let tokens = of.entry(address).or_default();
        if is_over(tokens) {
            (tokens.since_ms, tokens.wrong) = (now, HashSet::new());
        }
        if tokens.wrong.len() >= WRONG_MAX && !tokens.right.contains(&digest) {
            return Err(TooMany);
        }
        let kept = if whose.is_some() { &mut tokens.right } else { &mut tokens.wrong };
        kept.insert(digest);
        Ok(whose)
    }
}

/// The address, or the network that one customer of a provider has.
fn around(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(address) if address.to_ipv4_mapped().is_none() => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address => address.to_canonical(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(address: &str) -> Peer {
        Peer(address.parse().unwrap())
    }

    #[test]
    fn who_guesses_closes_the_door_for_themselves_alone() {
        let (guesses, one, other) = (Guesses::default(), peer("192.0.2.1"), peer("192.0.2.2"));
        let look = |now, from, token: &str, whose: Option<&str>| {
            guesses.look_at(now, from, token, whose.map(str::to_owned)).map(|whose| whose.is_some())
        };
        assert_eq!(look(0, one, "ana's", Some("ana")), Ok(true));
        (0..WRONG_MAX).for_each(|nth| assert_eq!(look(1, one, &format!("guess {nth}"), None), Ok(false)));
        assert_eq!(look(2, one, "another guess", None), Err(TooMany));
        assert_eq!(look(2, one, "ben's", Some("ben")), Err(TooMany), "a right guess is told to be right");
        assert_eq!(look(2, one, "ana's", Some("ana")), Ok(true), "who was in before is locked out");
        assert_eq!(look(2, other, "ben's", Some("ben")), Ok(true), "another address is locked out");
        assert_eq!(look(2 + MINUTE_MS, one, "ben's", Some("ben")), Ok(true), "the minute is over");
    }

    #[test]
    fn an_old_token_that_comes_again_and_again_is_no_guess() {
        let (guesses, from) = (Guesses::default(), peer("::1"));
        (0..100).for_each(|_| assert_eq!(guesses.look_at(0, from, "old", None::<()>), Ok(None)));
        assert_eq!(guesses.look_at(0, from, "new", Some(())), Ok(Some(())));
    }

    #[test]
    fn addresses_of_one_network_count_together_and_their_number_is_bounded() {
        assert_eq!(around("2001:db8::1".parse().unwrap()), around("2001:db8::ffff:1".parse::<IpAddr>().unwrap()));
        assert_ne!(around("2001:db8::1".parse().unwrap()), around("2001:db8:0:1::1".parse::<IpAddr>().unwrap()));
        assert_eq!(around("::ffff:192.0.2.1".parse().unwrap()), "192.0.2.1".parse::<IpAddr>().unwrap());
        let guesses = Guesses::default();
        let from = |nth: usize| Peer(IpAddr::from(u32::try_from(nth).unwrap().to_be_bytes()));
        (0..ADDRESSES_MAX).for_each(|nth| drop(guesses.look_at(0, from(nth), "guess", None::<()>)));
        assert_eq!(guesses.look_at(0, from(ADDRESSES_MAX), "right", Some(())), Err(TooMany));
        assert_eq!(guesses.look_at(0, from(7), "right", Some(())), Ok(Some(())), "who is known is forgotten");
        assert_eq!(guesses.look_at(2 * MINUTE_MS, from(ADDRESSES_MAX), "right", Some(())), Ok(Some(())));
    }
}
