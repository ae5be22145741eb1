/// Drops points of a curve that make no visible difference, so that the chart of a long run is as small and as quick to
/// draw as that of a short one.
package enum CurveThinning {
    /// From the spots of a curve, left to right, the first, the lowest, the highest and the last in each half point of
    /// width; all if there are no more.
    package static func thinned(_ curve: [Spot]) -> [Spot] {
        var kept: [Spot] = []
        var start = 0
        while start < curve.count {
            let column = Self.column(curve[start])
            var end = start + 1
            while end < curve.count, Self.column(curve[end]) == column { end += 1 }
            let spots = start..<end
            if let low = spots.min(by: { curve[$0].y < curve[$1].y }),
                let high = spots.max(by: { curve[$0].y < curve[$1].y })
            {
                for index in Set([start, low, high, end - 1]).sorted() { kept.append(curve[index]) }
            }
            start = end
        }
        return kept
    }

    private static func column(_ spot: Spot) -> Double { (2 * spot.x).rounded(.down) }
}
