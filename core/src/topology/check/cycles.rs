//! Rule: every cycle has a handoff with `rounds`, and where it leads when they are used up makes no cycle without one.

use super::draft::Draft;
use super::graph::{Edge, Graph, Kind, Via};
use crate::topology::fault::{Code, Fault};

pub(super) fn check(draft: &mut Draft<'_>, graph: &Graph) {
    let unbounded = |edge: &Edge| !matches!(edge.via, Via::Rounds { .. });
    let circle = graph.circles(unbounded);
    let from_start = graph.distances(graph.start, |_| true);
    let mut told = vec![false; graph.nodes.len()];
    let mut order: Vec<usize> = (0..graph.nodes.len()).filter(|node| from_start[*node].is_some()).collect();
    order.sort_by_key(|node| from_start[*node]);
    for node in order {
        let inside = |edge: &Edge| unbounded(edge) && edge.to.is_some_and(|to| circle[to] == circle[edge.from]);
        if told[circle[node]] || !graph.to(node).any(inside) {
            continue;
        }
        told[circle[node]] = true;
        let distance = graph.distances([node], inside);
        let back = graph.to(node).filter(|edge| inside(edge) && distance[edge.from].is_some());
        let Some(closing) = back.min_by_key(|edge| distance[edge.from]) else { continue };
        let mut cycle = within(graph, &distance, closing.from);
        cycle.push(closing);
        // A cycle that the end is never reached from is told as that.
        let used_up = cycle.iter().any(|edge| matches!(edge.via, Via::UsedUp { .. }));
        let what = if used_up { "this cycle goes on when its rounds are used up" } else { "this cycle has no bound" };
        let to = &graph.nodes[node].name;
        let instead = match closing.kind {
            Kind::Join(_) => "write rounds = 3, then = \"...\" into this split".to_owned(),
            _ => format!("write {} = {{ to = \"{to}\", rounds = 3, then = \"end\" }}", closing.outcome),
        };
        let fault = Fault::new(Code::Unbounded, &closing.place, what, instead);
        draft.faults.push(fault.on_path(graph.hops(&cycle)));
    }
}

/// A shortest path to `to` over edges without rounds, by distances from its beginning.
fn within<'g>(graph: &'g Graph, distance: &[Option<usize>], to: usize) -> Vec<&'g Edge> {
    let mut path = vec![];
    let mut at = to;
    while let Some(here) = distance[at].filter(|here| *here > 0) {
        let step =
            graph.to(at).find(|edge| !matches!(edge.via, Via::Rounds { .. }) && distance[edge.from] == Some(here - 1));
        let Some(step) = step else { break };
        path.push(step);
        at = step.from;
    }
    path.reverse();
    path
}
