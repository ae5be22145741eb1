import AnnealCore

extension SampleSource {
    /// The number of samples of each class. Samples that are unreadable or do not have exactly one label in 0 ..<
    /// classes are left out: a loader reports them when it reads them.
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
