//! Grouping factors as a tree: nesting, order of the levels, order of the rows.

use crate::design::Factor;
use crate::error::{Error, Result};

/// One depth of the tree: the nodes are the levels of a factor, ordered so that the children of a node stand together.
#[derive(Debug, Clone)]
pub struct Level {
    /// The factor (index in the design) whose levels are the nodes. Factors with the same partition share a level.
    pub factor: usize,
    /// For each node its parent on the level above; empty on the outermost level.
    pub parent: Vec<u32>,
    /// For each node the code (from 0) of the factor.
    pub code: Vec<u32>,
    /// Where each node's children start on the level below (one more element than nodes); empty on the innermost.
    pub child_start: Vec<u32>,
}

impl Level {
    /// The number of nodes.
    pub fn nodes(&self) -> usize {
        self.code.len()
    }
}

/// Factors that are nested in each other, outermost first, and the rows sorted by the innermost one.
#[derive(Debug, Clone)]
pub struct Tree {
    /// The levels, outermost first.
    pub levels: Vec<Level>,
    /// For each factor of the design: its level, and for each of its codes (from 0) the node there.
    pub position: Vec<(usize, Vec<u32>)>,
    /// Rows sorted by innermost node; `None` when they are sorted already.
    pub row_order: Option<Vec<u32>>,
    /// Where the rows of each innermost node start (one more element than nodes).
    pub row_start: Vec<u32>,
}

/// For each code of `fine` the only code of `coarse` it meets (from 0; `u32::MAX` for codes without rows), or `None`
/// when some code meets two.
fn nesting(fine: &Factor<'_>, coarse: &Factor<'_>) -> Option<Vec<u32>> {
    let mut map = vec![u32::MAX; fine.levels];
    for (f, c) in fine.codes.iter().zip(coarse.codes) {
        let (slot, c) = (&mut map[(*f - 1) as usize], (*c - 1) as u32);
        if *slot == u32::MAX {
            *slot = c;
        } else if *slot != c {
            return None;
        }
    }
    Some(map)
}

impl Tree {
    /// Order factors by nesting; two factors that are not nested (indices) where there are such.
    ///
    /// # Errors
    /// [`Error::Bug`] when there is no factor.
    pub fn build(factors: &[Factor<'_>], used: &[bool]) -> Result<std::result::Result<Tree, (usize, usize)>> {
        let mut order: Vec<usize> = (0..factors.len()).filter(|f| used[*f]).collect();
        order.sort_by_key(|f| factors[*f].levels);
        let mut chain: Vec<usize> = Vec::new();
        let mut maps: Vec<Vec<u32>> = Vec::new();
        let mut same: Vec<(usize, usize, Vec<u32>)> = Vec::new();
        for f in order {
            let Some(&last) = chain.last() else {
                chain.push(f);
                continue;
            };
            let Some(map) = nesting(&factors[f], &factors[last]) else {
                return Ok(Err((last.min(f), last.max(f))));
            };
            if factors[f].levels == factors[last].levels && nesting(&factors[last], &factors[f]).is_some() {
                same.push((f, chain.len() - 1, map));
            } else {
                chain.push(f);
                maps.push(map);
            }
        }
        let levels = build_levels(factors, &chain, &maps);
        let mut position = vec![(usize::MAX, Vec::new()); factors.len()];
        for (depth, level) in levels.iter().enumerate() {
            let mut at = vec![0u32; level.nodes()];
            for (node, code) in level.code.iter().enumerate() {
                at[*code as usize] = node as u32;
            }
            position[level.factor] = (depth, at);
        }
        for (f, depth, map) in same {
            let twin = &position[levels[depth].factor].1;
            let at = map
                .iter()
                .map(|c| if *c == u32::MAX { 0 } else { twin[*c as usize] })
                .collect();
            position[f] = (depth, at);
        }
        let Some(&leaf) = chain.last() else {
            return Err(Error::Bug("a tree without factors".to_string()));
        };
        let (row_order, row_start) = sort_rows(factors[leaf].codes, &position[leaf].1);
        Ok(Ok(Tree {
            levels,
            position,
            row_order,
            row_start,
        }))
    }

    /// The children of a node, on the level below `depth`.
    pub fn children(&self, depth: usize, node: usize) -> std::ops::Range<usize> {
        let start = &self.levels[depth].child_start;
        start[node] as usize..start[node + 1] as usize
    }

    /// The nodes of level `to` that stand below (or are) the nodes `range` of the outermost level.
    pub fn below(&self, range: &std::ops::Range<usize>, to: usize) -> std::ops::Range<usize> {
        self.levels[..to].iter().fold(range.clone(), |r, level| {
            level.child_start[r.start] as usize..level.child_start[r.end] as usize
        })
    }

    /// The amount of work below each outermost node: rows, and some for each innermost node.
    pub fn outer_sizes(&self) -> Vec<usize> {
        let size = |node: usize| {
            let leaves = self.below(&(node..node + 1), self.leaf_level());
            let rows = self.row_start[leaves.end] - self.row_start[leaves.start];
            rows as usize + 16 * leaves.len()
        };
        (0..self.levels[0].nodes()).map(size).collect()
    }

    /// The innermost level.
    pub fn leaf_level(&self) -> usize {
        self.levels.len() - 1
    }
}

fn build_levels(factors: &[Factor<'_>], chain: &[usize], maps: &[Vec<u32>]) -> Vec<Level> {
    let mut levels: Vec<Level> = Vec::with_capacity(chain.len());
    for (depth, &f) in chain.iter().enumerate() {
        let count = factors[f].levels;
        let mut code: Vec<u32> = (0..count as u32).collect();
        let mut parent = Vec::new();
        if depth > 0 {
            let above = &levels[depth - 1];
            let mut node_of = vec![0u32; above.nodes()];
            for (node, c) in above.code.iter().enumerate() {
                node_of[*c as usize] = node as u32;
            }
            let up = |c: u32| match maps[depth - 1][c as usize] {
                u32::MAX => 0,
                coarse => node_of[coarse as usize],
            };
            code.sort_by_key(|c| up(*c));
            parent = code.iter().map(|c| up(*c)).collect();
        }
        if let Some(above) = levels.last_mut() {
            above.child_start = starts(&parent, above.nodes());
        }
        levels.push(Level {
            factor: f,
            parent,
            code,
            child_start: Vec::new(),
        });
    }
    levels
}

/// Where each of `count` values starts in a sorted list (one more element than values).
fn starts(sorted: &[u32], count: usize) -> Vec<u32> {
    let mut start = vec![0u32; count + 1];
    sorted.iter().for_each(|v| start[*v as usize + 1] += 1);
    for i in 1..=count {
        start[i] += start[i - 1];
    }
    start
}

fn sort_rows(codes: &[i32], position: &[u32]) -> (Option<Vec<u32>>, Vec<u32>) {
    let node = |c: &i32| position[(*c - 1) as usize];
    let mut start = vec![0u32; position.len() + 1];
    let mut sorted = true;
    let mut previous = 0;
    for c in codes {
        let at = node(c);
        sorted &= at >= previous;
        previous = at;
        start[at as usize + 1] += 1;
    }
    for i in 1..start.len() {
        start[i] += start[i - 1];
    }
    if sorted {
        return (None, start);
    }
    let mut next = start.clone();
    let mut order = vec![0u32; codes.len()];
    for (row, c) in codes.iter().enumerate() {
        let slot = &mut next[node(c) as usize];
        order[*slot as usize] = row as u32;
        *slot += 1;
    }
    (Some(order), start)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn factor(codes: &[i32]) -> Factor<'_> {
        Factor {
            codes,
            levels: codes.iter().copied().max().unwrap_or(0) as usize,
        }
    }

    #[test]
    fn nested_factors_become_levels_whatever_their_order() {
        let (a, b) = ([1, 1, 2, 2, 2, 1], [3, 1, 2, 4, 2, 3]);
        let tree = Tree::build(&[factor(&b), factor(&a)], &[true, true])
            .unwrap()
            .unwrap();
        assert_eq!(tree.levels.len(), 2);
        assert_eq!(tree.levels[0].factor, 1);
        assert_eq!(tree.levels[1].code, vec![0, 2, 1, 3]);
        assert_eq!(tree.levels[1].parent, vec![0, 0, 1, 1]);
        assert_eq!(tree.row_order.unwrap(), vec![1, 0, 5, 2, 4, 3]);
        assert_eq!(tree.row_start, vec![0, 1, 3, 5, 6]);
    }

    #[test]
    fn the_same_partition_twice_is_one_level() {
        let (a, b) = ([1, 1, 2, 3], [2, 2, 3, 1]);
        let tree = Tree::build(&[factor(&a), factor(&b)], &[true, true])
            .unwrap()
            .unwrap();
        assert_eq!(tree.levels.len(), 1);
        assert_eq!(tree.position[1].1, vec![2, 0, 1]);
        assert!(tree.row_order.is_none());
    }

    #[test]
    fn crossed_factors_are_named() {
        let (a, b) = ([1, 1, 2, 2], [1, 2, 1, 2]);
        let pair = Tree::build(&[factor(&a), factor(&b)], &[true, true])
            .unwrap()
            .unwrap_err();
        assert_eq!(pair, (0, 1));
    }
}
