//! The symbolic part, done once per fit: which random effects meet which, in what order they are eliminated, and where
//! every number will stand.
//!
//! The levels of the leading factor are eliminated first; they meet only through levels of the other factors (*nodes*).
//! What is left is a symmetric system over the nodes, with a block wherever two nodes share a row or a level of the leading
//! factor. Where these blocks are many, it is one dense matrix, the nodes in the order of their popularity so that updates
//! stay close together. Where they are few, nodes are ordered by approximate minimum degree (Amestoy, Davis and Duff
//! 1996) and the factor is stored in supernodes, panels of neighbouring columns with the same rows.

use std::ops::Range;

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::sparse::linalg::amd;
use faer::sparse::SymbolicSparseColMatRef;

use super::cells::Cells;
use super::Block;
use crate::engine::Storage;
use crate::error::{Error, Result};
use crate::parallel::Workers;

/// Columns that are stored together: the columns of some consecutive nodes and all rows that elimination fills.
#[derive(Debug, Clone)]
pub struct Supernode {
    /// The nodes.
    pub nodes: Range<usize>,
    /// Their columns.
    pub columns: Range<usize>,
    /// Later nodes with non-zero rows, ascending.
    pub below: Vec<u32>,
    /// Their columns.
    pub below_columns: Vec<u32>,
    /// Where the panel starts among the values.
    pub offset: usize,
}

impl Supernode {
    /// The number of rows of the panel: its own columns, then those below.
    pub fn rows(&self) -> usize {
        self.columns.len() + self.below_columns.len()
    }

    /// Where the values of a column of the system start.
    pub fn column(&self, column: usize) -> usize {
        self.offset + (column - self.columns.start) * self.rows()
    }
}

/// Where everything stands.
#[derive(Debug)]
pub struct Layout {
    /// The number of columns of the system over all nodes.
    pub m: usize,
    /// Per node the block (from 1, 0 being the leading one) and the level of its factor.
    pub nodes: Vec<(u32, u32)>,
    /// Where the columns of each node start (one more element than nodes).
    pub node_column: Vec<usize>,
    /// Per block (that of the leading one is empty) and level the node.
    pub node_of: Vec<Vec<u32>>,
    /// For each leading level where its list of nodes starts (one more element than levels).
    pub touch_start: Vec<usize>,
    /// The nodes that share a row with it, ascending.
    pub touch: Vec<u32>,
    /// Where the block of each entry of `touch` starts (leading columns x node columns; one more element).
    pub touch_offset: Vec<usize>,
    /// For each node where its list in `touched_by` starts (one more element than nodes).
    pub by_start: Vec<usize>,
    /// Per node the entries of `touch` (with their leading level) that name it.
    pub touched_by: Vec<(u32, usize)>,
    /// For each node where its later partners start (one more element than nodes).
    pub pair_start: Vec<usize>,
    /// The nodes (the node itself first, then later ones) that share a row with it.
    pub pair: Vec<u32>,
    /// Where the block of each pair starts (later columns x earlier columns; one more element).
    pub pair_offset: Vec<usize>,
    /// The panels.
    pub supernodes: Vec<Supernode>,
    /// Per node its panel.
    pub supernode_of: Vec<u32>,
    /// The number of values of all panels.
    pub values: usize,
    /// How the system is stored.
    pub storage: Storage,
}

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
struct Lists {
    start: Vec<usize>,
    of: Vec<u32>,
}

impl Lists {
    fn get(&self, i: usize) -> &[u32] {
        &self.of[self.start[i]..self.start[i + 1]]
    }
}

impl Layout {
    /// The layout for reduced rows, of a model that may take `limit` bytes.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] (`"memory"`), [`Error::Interrupted`].
    pub fn new(cells: &Cells, blocks: &[Block], limit: f64, workers: &Workers<'_>) -> Result<Layout> {
        let initial = popular_first(cells, blocks);
        let (touch, nodes) = touches(cells, &initial);
        let pairs = pairs(cells, &initial, nodes);
        let width: Vec<usize> = initial
            .iter()
            .zip(blocks)
            .skip(1)
            .flat_map(|(of, b)| std::iter::repeat_n(b.q, of.len()))
            .collect();
        let found = match neighbours(&touch, &pairs, nodes, limit, workers)? {
            Some(adjacent) => Elimination::analyse(&adjacent, &width, limit, workers)?,
            None => None,
        };
        let (position, supernodes, storage) = match found {
            Some(e) => (e.position, e.supernodes, Storage::Sparse),
            None => (
                (0..nodes as u32).collect(),
                vec![(0..nodes, Vec::new())],
                Storage::Dense,
            ),
        };
        Ok(assemble(
            blocks, initial, touch, &pairs, &position, supernodes, storage,
        ))
    }

    /// The number of leading levels.
    pub fn leading(&self) -> usize {
        self.touch_start.len() - 1
    }

    /// The columns of a node.
    pub fn columns(&self, node: usize) -> Range<usize> {
        self.node_column[node]..self.node_column[node + 1]
    }

    /// For each node of a panel (its own, then those below) the local row where its columns start, written to `local`
    /// (indexed by node; other elements are left as they are).
    pub fn local_rows(&self, supernode: &Supernode, local: &mut [u32]) {
        let mut row = 0;
        for node in supernode
            .nodes
            .clone()
            .chain(supernode.below.iter().map(|n| *n as usize))
        {
            local[node] = row;
            row += self.columns(node).len() as u32;
        }
    }
}

/// Per block a first numbering of its levels as nodes, by falling number of rows; block after block.
fn popular_first(cells: &Cells, blocks: &[Block]) -> Vec<Vec<u32>> {
    let mut first = 0;
    let mut all = vec![Vec::new()];
    for (b, block) in blocks.iter().enumerate().skip(1) {
        let mut count = vec![0u32; block.levels];
        cells.code[b].iter().for_each(|c| count[*c as usize] += 1);
        let mut order: Vec<u32> = (0..block.levels as u32).collect();
        order.sort_by_key(|l| std::cmp::Reverse(count[*l as usize]));
        let mut node = vec![0u32; block.levels];
        for (k, level) in order.iter().enumerate() {
            node[*level as usize] = first + k as u32;
        }
        first += block.levels as u32;
        all.push(node);
    }
    all
}

/// For each leading level the nodes it shares rows with; and the number of nodes.
fn touches(cells: &Cells, node_of: &[Vec<u32>]) -> (Lists, usize) {
    let mut lists = Lists {
        start: vec![0],
        of: Vec::with_capacity(cells.rows()),
    };
    let mut list: Vec<u32> = Vec::new();
    for rows in cells.start.windows(2) {
        list.clear();
        for (code, node) in cells.code.iter().zip(node_of).skip(1) {
            list.extend(code[rows[0]..rows[1]].iter().map(|c| node[*c as usize]));
        }
        list.sort_unstable();
        list.dedup();
        lists.of.extend_from_slice(&list);
        lists.start.push(lists.of.len());
    }
    (lists, node_of.iter().map(Vec::len).sum())
}

/// For each node the nodes with a larger number that share a row with it.
fn pairs(cells: &Cells, node_of: &[Vec<u32>], nodes: usize) -> Lists {
    let mut keys: Vec<u64> = Vec::new();
    let blocks = node_of.len();
    for b in 1..blocks {
        for c in b + 1..blocks {
            let node = |k: usize, row: usize| node_of[k][cells.code[k][row] as usize];
            keys.extend((0..cells.rows()).map(|row| u64::from(node(b, row)) << 32 | u64::from(node(c, row))));
            keys.sort_unstable();
            keys.dedup();
        }
    }
    let mut lists = Lists {
        start: vec![0; nodes + 1],
        of: keys.iter().map(|k| *k as u32).collect(),
    };
    keys.iter()
        .for_each(|k| lists.start[(*k >> 32) as usize + 1] += 1);
    (0..nodes).for_each(|i| lists.start[i + 1] += lists.start[i]);
    lists
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
fn neighbours(
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
    let most = (DENSE_SHARE * (nodes as f64).powi(2)).min(limit / 16.0) as usize;
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
struct Elimination {
    position: Vec<u32>,
    supernodes: Vec<(Range<usize>, Vec<u32>)>,
}

impl Elimination {
    /// Order the nodes and find the fill; `None` where that does not pay.
    fn analyse(
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

/// Everything in its final place.
fn assemble(
    blocks: &[Block],
    initial: Vec<Vec<u32>>,
    touch: Lists,
    pairs: &Lists,
    position: &[u32],
    panels: Vec<(Range<usize>, Vec<u32>)>,
    storage: Storage,
) -> Layout {
    let count = position.len();
    let mut nodes = vec![(0, 0); count];
    let mut node_of = initial;
    for (b, of) in node_of.iter_mut().enumerate() {
        for (level, node) in of.iter_mut().enumerate() {
            *node = position[*node as usize];
            nodes[*node as usize] = (b as u32, level as u32);
        }
    }
    let width = |node: usize| blocks[nodes[node].0 as usize].q;
    let mut node_column = vec![0; count + 1];
    (0..count).for_each(|k| node_column[k + 1] = node_column[k] + width(k));
    let leading = blocks[0].q;
    let mut list = touch.of;
    list.iter_mut().for_each(|k| *k = position[*k as usize]);
    let mut touch_offset = vec![0; list.len() + 1];
    for w in touch.start.windows(2) {
        list[w[0]..w[1]].sort_unstable();
    }
    for (t, node) in list.iter().enumerate() {
        touch_offset[t + 1] = touch_offset[t] + leading * width(*node as usize);
    }
    let (by_start, touched_by) = by_node(&touch.start, &list, count);
    let (pair_start, pair) = ordered_pairs(pairs, position);
    let mut pair_offset = vec![0; pair.len() + 1];
    for j in 0..count {
        for e in pair_start[j]..pair_start[j + 1] {
            pair_offset[e + 1] = pair_offset[e] + width(j) * width(pair[e] as usize);
        }
    }
    let mut supernodes = Vec::with_capacity(panels.len());
    let mut supernode_of = vec![0u32; count];
    let mut values = 0;
    for (s, (own, below)) in panels.into_iter().enumerate() {
        supernode_of[own.clone()].fill(s as u32);
        let below_columns = below
            .iter()
            .flat_map(|k| node_column[*k as usize] as u32..node_column[*k as usize + 1] as u32)
            .collect();
        let panel = Supernode {
            columns: node_column[own.start]..node_column[own.end],
            nodes: own,
            below,
            below_columns,
            offset: values,
        };
        values += panel.rows() * panel.columns.len();
        supernodes.push(panel);
    }
    Layout {
        m: node_column[count],
        nodes,
        node_column,
        node_of,
        touch_start: touch.start,
        touch: list,
        touch_offset,
        by_start,
        touched_by,
        pair_start,
        pair,
        pair_offset,
        supernodes,
        supernode_of,
        values,
        storage,
    }
}

/// Per node the entries of `touch` that name it, with their leading level.
fn by_node(start: &[usize], touch: &[u32], nodes: usize) -> (Vec<usize>, Vec<(u32, usize)>) {
    let mut by_start = vec![0usize; nodes + 1];
    touch.iter().for_each(|k| by_start[*k as usize + 1] += 1);
    (0..nodes).for_each(|k| by_start[k + 1] += by_start[k]);
    let mut next = by_start.clone();
    let mut by = vec![(0, 0); touch.len()];
    for (i, w) in start.windows(2).enumerate() {
        for t in w[0]..w[1] {
            let slot = &mut next[touch[t] as usize];
            by[*slot] = (i as u32, t);
            *slot += 1;
        }
    }
    (by_start, by)
}

/// For each node itself and its later partners, in positions.
fn ordered_pairs(pairs: &Lists, position: &[u32]) -> (Vec<usize>, Vec<u32>) {
    let nodes = position.len();
    let mut keys: Vec<u64> = (0..nodes as u64).map(|k| k << 32 | k).collect();
    for j in 0..nodes {
        for k in pairs.get(j) {
            let (a, b) = (position[j], position[*k as usize]);
            keys.push(u64::from(a.min(b)) << 32 | u64::from(a.max(b)));
        }
    }
    keys.sort_unstable();
    let mut start = vec![0; nodes + 1];
    keys.iter().for_each(|k| start[(*k >> 32) as usize + 1] += 1);
    (0..nodes).for_each(|i| start[i + 1] += start[i]);
    (start, keys.iter().map(|k| *k as u32).collect())
}
