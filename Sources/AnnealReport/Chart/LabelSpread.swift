/// Keeps labels in a column from overlapping.
package enum LabelSpread {
    /// Moves positions apart to at least `pitch`, as little as necessary, and keeps them in the range.
    package static func spread(_ wanted: [Double], pitch: Double, in range: ClosedRange<Double>) -> [Double] {
        let order = wanted.indices.sorted { (wanted[$0], $0) < (wanted[$1], $1) }
        // If there are more labels than fit, they move closer together rather than outside.
        let room = range.upperBound - range.lowerBound
        let pitch = min(pitch, room / Double(max(1, wanted.count - 1)))
        // Labels that touch form a block around the mean of their target positions; blocks that touch merge.
        var blocks: [(members: [Int], centre: Double)] = []
        func place(_ members: [Int]) -> Double {
            let mean = members.reduce(0) { $0 + wanted[$1] } / Double(members.count)
            let half = pitch * Double(members.count - 1) / 2
            return max(range.lowerBound + half, min(range.upperBound - half, mean))
        }
        for index in order {
            blocks.append(([index], place([index])))
            while blocks.count > 1 {
                let (upper, lower) = (blocks[blocks.count - 2], blocks[blocks.count - 1])
                let distance = pitch * Double(upper.members.count + lower.members.count) / 2
                guard lower.centre - upper.centre < distance - 1e-9 else { break }
                blocks.removeLast(2)
                let members = upper.members + lower.members
                blocks.append((members, place(members)))
            }
        }
        var result = wanted
        for block in blocks {
            let first = block.centre - pitch * Double(block.members.count - 1) / 2
            for (position, index) in block.members.enumerated() { result[index] = first + pitch * Double(position) }
        }
        return result
    }
}
