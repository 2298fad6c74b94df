#' Growth of slaughter pigs
#'
#' Weights and feed intake of 72 pigs, weighed every week for 12 weeks, in an
#' experiment on vitamin E and copper in the feed (3 x 3 doses). Several pigs
#' come from the same litter. Some weighings at the end are missing.
#'
#' @format A data frame with 861 rows and 8 variables:
#' \describe{
#'   \item{`Pig`}{factor, 72 levels: the pig}
#'   \item{`Evit`}{factor, 3 levels: dose of vitamin E, 0, 100 or 200 mg
#'     dl-alpha-tocopheryl acetate per kg of feed}
#'   \item{`Cu`}{factor, 3 levels: dose of copper, 0, 35 or 175 mg per kg of
#'     feed}
#'   \item{`Litter`}{factor, 21 levels: the litter of the pig}
#'   \item{`Start`}{weight in week 1, kg}
#'   \item{`Weight`}{weight, kg}
#'   \item{`Feed`}{feed eaten since the start, kg; missing in week 1}
#'   \item{`Time`}{week of the experiment, 1 to 12}
#' }
#' @source Lauridsen C, Hojsgaard S, Sorensen MT (1999). Influence of dietary
#'   rapeseed oil, vitamin E, and copper on the performance and the
#'   antioxidative and oxidative status of pigs. *Journal of Animal Science*
#'   **77**, 906-916. The data are those of the package geepack.
#' @examples
#' head(dietox)
#' mixedlm(Weight ~ Time, dietox, groups = "Pig")
"dietox"
