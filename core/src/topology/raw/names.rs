//! Every name that a topology's file mentions, to look at and to change.

use super::handoff::{EachTo, Handoffs, Over, Way};
use super::topology::{Arg, Topology};
use crate::topology::fault::At;

/// A name in a file.
pub enum Named<'n> {
    /// Of a member, or `end` or `failed`.
    Member(&'n mut At<String>),
    /// Of an artefact or an item, perhaps with `?`.
    Artefact(&'n mut At<String>),
    /// A path, which begins with one of an artefact, `message` or `params`.
    Path(&'n mut At<String>),
}

impl Topology {
    /// Looks at each of them.
    pub fn names(&mut self, look: &mut dyn FnMut(Named<'_>)) {
        for (name, artefact) in &mut self.artefacts {
            look(Named::Artefact(name));
            artefact.of.iter_mut().for_each(|of| look(Named::Artefact(of)));
            artefact.same.iter_mut().for_each(|(_, other)| look(Named::Path(other)));
        }
        for (name, member) in &mut self.team {
            look(Named::Member(name));
            let lists = [&mut member.reads, &mut member.writes, &mut member.approves];
            lists.into_iter().flatten().for_each(|at| look(Named::Artefact(at)));
            member.may_ask.iter_mut().for_each(|at| look(Named::Member(at)));
            for (_, arg) in member.args.iter_mut().flat_map(|args| &mut args.value) {
                if let Arg::Path(path) = arg {
                    look(Named::Path(path));
                }
            }
            member
                .rule
                .iter_mut()
                .flat_map(|lines| &mut lines.value)
                .for_each(|line| look(Named::Path(&mut line.when)));
        }
        self.start.iter_mut().for_each(|start| look(Named::Member(start)));
        for (name, handoffs) in &mut self.handoffs {
            look(Named::Member(name));
            handoffs.ways().for_each(|way| way.names(look));
        }
    }
}

impl Handoffs {
    /// Its ways.
    pub fn ways(&mut self) -> Box<dyn Iterator<Item = &mut Way> + '_> {
        match self {
            Self::Only(way) => Box::new(std::iter::once(way)),
            Self::By(ways) => Box::new(ways.iter_mut().map(|(_, way)| way)),
        }
    }
}

impl Way {
    /// Looks at each name in it.
    pub fn names(&mut self, look: &mut dyn FnMut(Named<'_>)) {
        look(Named::Member(&mut self.to));
        self.rounds.iter_mut().for_each(|(_, then)| look(Named::Member(then)));
        match self.split.as_mut().map(|split| &mut split.over) {
            Some(Over::All(members)) => members.value.iter_mut().for_each(|at| look(Named::Member(at))),
            Some(Over::Times(_, to)) => look(Named::Member(to)),
            Some(Over::Each(each)) => {
                look(Named::Path(&mut each.list));
                look(Named::Artefact(&mut each.item));
                match &mut each.to {
                    EachTo::One(to) => look(Named::Member(to)),
                    EachTo::By(_, among, _) => among.value.iter_mut().for_each(|at| look(Named::Member(at))),
                }
            }
            None => {}
        }
    }
}
