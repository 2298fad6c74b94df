//! The order in which nodes are eliminated, the fill that this makes, and whether it pays.
//!
//! Vignette "The algorithm": Eq. Elimination.

use std::ops::Range;

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::sparse::linalg::amd;
use faer::sparse::SymbolicSparseColMatRef;

use crate::error::{Error, Result};
use crate::parallel::Workers;

/// With fewer nodes than this the system is dense without a further look.
const FEW_NODES: usize = 160;
/// A system with a larger share of blocks than this is dense.
const DENSE_SHARE: f64 = 0.35;
/// What decides between sparse and dense storage: multiplications per second in small panels and in large tiles, seconds
/// for adding a number to another panel, and for a panel.
const SPARSE_RATE: f64 = 8e9;
const DENSE_RATE: f64 = 40e9;
const SCATTER: f64 = 4e-9;
const OVERHEAD: f64 = 2e-6;

/// Lists of neighbours: where each starts, and all of them.
pub struct Lists {
    /// Where each list starts (one more element than lists).
    pub start: Vec<usize>,
    /// All lists.
    pub of: Vec<u32>,
}

impl Lists {
    /// A list.
    pub fn get(&self, i: usize) -> &[u32] {
        &self.of[self.start[i]..self.start[i + 1]]
    }
}

/// Lists turned round: for each value the indices of the lists that hold it.
fn transposed(lists: &Lists, values: usize) -> Lists {
    let mut start = vec![0usize; values + 1];
    lists.of.iter().for_each(|v| start[*v as usize + 1] += 1);
    (0..values).for_each(|i| start[i + 1] += start[i]);
    let mut next = start.clone();
    let mut of = vec![0u32; lists.of.len()];
    for i in 0..lists.start.len() - 1 {
        for v in lists.get(i) {
            let slot = &mut next[*v as usize];
            of[*slot] = i as u32;
            *slot += 1;
        }
    }
    Lists { start, of }
}

/// For each node all others that elimination of the leading levels connects it with; `None` when these are so many that
/// the system is better stored whole.
pub fn neighbours(
    touch: &Lists,
    pairs: &Lists,
    nodes: usize,
    limit: f64,
    workers: &Workers<'_>,
) -> Result<Option<Lists>> {
    if nodes < FEW_NODES {
        return Ok(None);
    }
    let graph = Graph {
        touch,
        by_node: transposed(touch, nodes),
        pairs,
        earlier: transposed(pairs, nodes),
    };
    let mut mark = vec![u32::MAX; nodes];
    let sample: Vec<usize> = (0..nodes).step_by((nodes / 48).max(1)).collect();
    let mut found = Vec::new();
    for j in &sample {
        graph.visit(*j, &mut mark, &mut found);
    }
    if found.len() as f64 > DENSE_SHARE * (sample.len() * nodes) as f64 {
        return Ok(None);
    }
    // each takes four bytes here and eight where they are ordered
    let most = (DENSE_SHARE * (nodes as f64).powi(2)).min(limit / 32.0) as usize;
    let mut lists = Lists {
        start: vec![0],
        of: Vec::new(),
    };
    mark.fill(u32::MAX);
    for j in 0..nodes {
        if j % 256 == 0 {
            workers.check()?;
        }
        graph.visit(j, &mut mark, &mut lists.of);
        if lists.of.len() > most {
            return Ok(None);
        }
        lists.of[lists.start[j]..].sort_unstable();
        lists.start.push(lists.of.len());
    }
    Ok(Some(lists))
}

/// Who meets whom.
struct Graph<'a> {
    touch: &'a Lists,
    by_node: Lists,
    pairs: &'a Lists,
    earlier: Lists,
}

impl Graph<'_> {
    /// Append the neighbours of a node; `mark` remembers who was seen from where.
    fn visit(&self, j: usize, mark: &mut [u32], out: &mut Vec<u32>) {
        mark[j] = j as u32;
        let through = self
            .by_node
            .get(j)
            .iter()
            .flat_map(|i| self.touch.get(*i as usize));
        let direct = self.pairs.get(j).iter().chain(self.earlier.get(j));
        for k in through.chain(direct) {
            if mark[*k as usize] != j as u32 {
                mark[*k as usize] = j as u32;
                out.push(*k);
            }
        }
    }
}

/// An order of elimination and the panels it makes, in positions of that order.
pub struct Elimination {
    /// Per node its position.
    pub position: Vec<u32>,
    /// Panels: their nodes, and later nodes whose rows they hold.
    pub supernodes: Vec<(Range<usize>, Vec<u32>)>,
}

impl Elimination {
    /// Order the nodes and find the fill; `None` where that does not pay.
    pub fn analyse(
        adjacent: &Lists,
        width: &[usize],
        limit: f64,
        workers: &Workers<'_>,
    ) -> Result<Option<Elimination>> {
        let nodes = width.len();
        let order = minimum_degree(adjacent, nodes)?;
        let mut position = vec![0u32; nodes];
        order
            .iter()
            .enumerate()
            .for_each(|(k, j)| position[*j] = k as u32);
        let widths: Vec<usize> = order.iter().map(|j| width[*j]).collect();
        let total = width.iter().sum::<usize>() as f64;
        // the factor and the inverse, of either kind
        let most = (limit / 16.0).min(0.5 * total * total);
        let Some(panels) = panels(adjacent, &order, &position, &widths, most, workers)? else {
            return Ok(None);
        };
        let seconds = |p: &Panel| {
            let (c, b) = (p.columns as f64, Panel::wide(&p.below, &widths) as f64);
            c * (c + b) * (c + b) / SPARSE_RATE + b * b * SCATTER + OVERHEAD
        };
        let sparse: f64 = panels.iter().map(seconds).sum();
        let dense_fits = 16.0 * total * total < limit;
        let worth = !dense_fits || sparse < total.powi(3) / DENSE_RATE;
        let supernodes = panels.into_iter().map(|p| (p.nodes, p.below)).collect();
        Ok(worth.then_some(Elimination { position, supernodes }))
    }
}

/// An approximate minimum degree order.
fn minimum_degree(adjacent: &Lists, nodes: usize) -> Result<Vec<usize>> {
    let rows: Vec<usize> = adjacent.of.iter().map(|k| *k as usize).collect();
    let pattern = SymbolicSparseColMatRef::new_checked(nodes, nodes, &adjacent.start, None, &rows);
    let failed = |_| Error::invalid("memory", "no memory to order the random effects");
    let scratch = amd::order_scratch::<usize>(nodes, rows.len());
    let mut memory = MemBuffer::try_new(scratch)
        .map_err(|_| Error::invalid("memory", "no memory to order the random effects"))?;
    let (mut order, mut inverse) = (vec![0usize; nodes], vec![0usize; nodes]);
    let stack = MemStack::new(&mut memory);
    amd::order(&mut order, &mut inverse, pattern, amd::Control::default(), stack).map_err(failed)?;
    Ok(order)
}

/// The most columns of a merged panel, and the share of zeros that it may store; the last for any number.
const RELAXED: [(usize, f64); 4] = [(4, 1.0), (16, 0.8), (48, 0.1), (usize::MAX, 0.05)];

/// A panel in the making.
struct Panel {
    nodes: Range<usize>,
    /// Later nodes that the column of its last node holds.
    below: Vec<u32>,
    columns: usize,
    /// Elements that are not zero, those on and above the diagonal of its own block once.
    filled: usize,
}

impl Panel {
    fn wide(nodes: &[u32], width: &[usize]) -> usize {
        nodes.iter().map(|k| width[*k as usize]).sum()
    }

    fn stored(columns: usize, below: usize) -> usize {
        columns * (columns + 1) / 2 + columns * below
    }

    fn is_child_of(&self, parent: &Panel) -> bool {
        self.below
            .first()
            .is_some_and(|k| parent.nodes.contains(&(*k as usize)))
    }
}

/// Nodes in the order of elimination with what their columns of the factor hold, put together to panels where neighbours
/// have (nearly) the same rows; the zeros that this stores are counted. `None` when more than `most` numbers are stored.
fn panels(
    adjacent: &Lists,
    order: &[usize],
    position: &[u32],
    width: &[usize],
    most: f64,
    workers: &Workers<'_>,
) -> Result<Option<Vec<Panel>>> {
    let nodes = order.len();
    let mut done: Vec<Panel> = Vec::new();
    // panels whose last node has this parent
    let mut children: Vec<Vec<u32>> = vec![Vec::new(); nodes];
    let mut panel_of = vec![0u32; nodes];
    let mut mark = vec![u32::MAX; nodes];
    let mut total = 0.0;
    for k in 0..nodes {
        if k % 256 == 0 {
            workers.check()?;
        }
        let mut below: Vec<u32> = Vec::new();
        mark[k] = k as u32;
        let mut visit = |at: u32| {
            if at as usize > k && mark[at as usize] != k as u32 {
                mark[at as usize] = k as u32;
                below.push(at);
            }
        };
        adjacent
            .get(order[k])
            .iter()
            .for_each(|j| visit(position[*j as usize]));
        for child in std::mem::take(&mut children[k]) {
            done[panel_of[child as usize] as usize]
                .below
                .iter()
                .for_each(|at| visit(*at));
        }
        below.sort_unstable();
        if let Some(parent) = below.first() {
            children[*parent as usize].push(k as u32);
        }
        let filled = Panel::stored(width[k], Panel::wide(&below, width));
        total += filled as f64;
        if total > most {
            return Ok(None);
        }
        done.push(Panel {
            nodes: k..k + 1,
            below,
            columns: width[k],
            filled,
        });
        merge_last(&mut done, width);
        panel_of[k] = done.len() as u32 - 1;
    }
    Ok(Some(done))
}

/// Merge the last panel with its neighbour as long as that stores few zeros.
fn merge_last(panels: &mut Vec<Panel>, width: &[usize]) {
    while let [.., first, last] = &panels[..] {
        let (columns, filled) = (first.columns + last.columns, first.filled + last.filled);
        let stored = Panel::stored(columns, Panel::wide(&last.below, width));
        let zeros = stored.saturating_sub(filled) as f64 / stored as f64;
        let allowed = RELAXED.iter().find(|r| columns <= r.0).map_or(0.0, |r| r.1);
        if !first.is_child_of(last) || zeros > allowed {
            return;
        }
        let start = first.nodes.start;
        if let Some(mut merged) = panels.pop() {
            panels.pop();
            (merged.nodes.start, merged.columns, merged.filled) = (start, columns, filled);
            panels.push(merged);
        }
    }
}
