import AnnealCore

extension SampleSource {
    /// How many samples each class has. Samples that cannot be read or have not one label of 0 ..< classes are left out:
    /// a loader names them when their turn comes.
    public func classCounts(_ classes: Int) -> [Int] {
        var counts = Array(repeating: 0, count: classes)
        for number in 0..<count {
            guard let label = try? classLabel(of: number), (try? ClassLabel.check(label, classes: classes)) != nil
            else {
                continue
            }
            counts[Int(label)] += 1
        }
        return counts
    }
}
