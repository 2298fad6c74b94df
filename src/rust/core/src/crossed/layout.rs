//! The symbolic part, done once per fit: which random effects meet which, in what order they are eliminated, and where
//! every number will stand.
//!
//! The levels of the leading factor are eliminated first; they meet only through levels of the other factors (*nodes*).
//! What is left is a symmetric system over the nodes, with a block wherever two nodes share a row or a level of the leading
//! factor. Where these blocks are many, it is one dense matrix, the nodes in the order of their popularity so that updates
//! stay close together. Where they are few, nodes are ordered by approximate minimum degree (Amestoy, Davis and Duff
//! 1996) and the factor is stored in supernodes, panels of neighbouring columns with the same rows.
//!
//! Vignette "The algorithm": Eq. Elimination.

use std::ops::Range;

use super::cells::Cells;
use super::elimination::{neighbours, Elimination, Lists};
use super::Block;
use crate::engine::Storage;
use crate::error::Result;
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

impl Layout {
    /// The layout for reduced rows, of a model that may take `limit` bytes.
    ///
    /// # Errors
    /// [`crate::Error::InvalidInput`] (`"memory"`), [`crate::Error::Interrupted`].
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

    /// The entries of `touch` that belong to a leading level.
    pub fn touched(&self, level: usize) -> Range<usize> {
        self.touch_start[level]..self.touch_start[level + 1]
    }

    /// The entries of `touch`, with their leading levels, that name a node.
    pub fn touching(&self, node: usize) -> &[(u32, usize)] {
        &self.touched_by[self.by_start[node]..self.by_start[node + 1]]
    }

    /// The numbers of an entry of `touch` among those of all.
    pub fn block<'a>(&self, values: &'a [f64], entry: usize) -> &'a [f64] {
        &values[self.touch_offset[entry]..self.touch_offset[entry + 1]]
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
            keys.extend(
                (0..cells.rows()).map(|row| (u64::from(node(b, row)) << 32) | u64::from(node(c, row))),
            );
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
    let mut keys: Vec<u64> = (0..nodes as u64).map(|k| (k << 32) | k).collect();
    for j in 0..nodes {
        for k in pairs.get(j) {
            let (a, b) = (position[j], position[*k as usize]);
            keys.push((u64::from(a.min(b)) << 32) | u64::from(a.max(b)));
        }
    }
    keys.sort_unstable();
    let mut start = vec![0; nodes + 1];
    keys.iter().for_each(|k| start[(*k >> 32) as usize + 1] += 1);
    (0..nodes).for_each(|i| start[i + 1] += start[i]);
    (start, keys.iter().map(|k| *k as u32).collect())
}
