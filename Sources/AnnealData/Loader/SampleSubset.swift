import AnnealCore

/// A subset of a source's samples, numbered from 0.
public struct SampleSubset: SampleSource {
    private let base: any SampleSource
    /// Indices in the base.
    private let numbers: [Int]

    public var path: String { base.path }
    public var count: Int { numbers.count }
    public var turnsUpright: Bool { base.turnsUpright }
    public var dependsOnEpoch: Bool { base.dependsOnEpoch }
    public func beginReading(ahead: Bool) -> (any Sendable)? { base.beginReading(ahead: ahead) }

    /// - Precondition: `numbers` are in 0 ..< base.count.
    public init(_ base: any SampleSource, numbers: [Int]) {
        self.base = base
        self.numbers = numbers
    }

    public func readSample(_ number: Int, epoch: Int, into payload: inout [UInt8]) throws -> SampleHeader {
        try base.readSample(numbers[number], epoch: epoch, into: &payload)
    }

    public func readBeginning(of number: Int, atMost count: Int, into payload: inout [UInt8]) throws -> SampleHeader {
        try base.readBeginning(of: numbers[number], atMost: count, into: &payload)
    }

    public func checkImages() throws { try base.checkImages() }

    /// Of all of the base's samples: which ones are in the subset depends on the seed only.
    public func survey(classes: Int, like earlier: DataFingerprint?, skipsBad: Bool) throws -> DataFingerprint? {
        try base.survey(classes: classes, like: earlier, skipsBad: skipsBad)
    }

    public func classLabel(of number: Int) throws -> Float { try base.classLabel(of: numbers[number]) }
    public func name(of number: Int) throws -> String { try base.name(of: numbers[number]) }
    public func place(of number: Int, id: UInt64?) -> String { base.place(of: numbers[number], id: id) }
    public func offset(of number: Int) -> Int { base.offset(of: numbers[number]) }
}

extension SampleSource {
    /// Holds out a share of each class for validation, chosen by the seed: the same one whenever the samples are the
    /// same.
    ///
    /// Shares are rounded so that together they make up `share` of all; each class keeps at least one sample for
    /// training. Samples with unreadable labels stay in training, where a loader reports them.
    /// - Throws: `AnnealError` when one of the two would be empty.
    public func holdingOut(_ share: Double, seed: UInt64, threads: Int = LoaderOptions.defaultThreads) throws -> (
        training: SampleSubset, validation: SampleSubset
    ) {
        let labels = try parallelMap(count, threads: threads) { try? classLabel(of: $0) }
        var members: [Float: [Int]] = [:]
        for (number, label) in labels.enumerated() {
            if let label, !label.isNaN { members[label, default: []].append(number) }
        }
        var isHeldOut = Array(repeating: false, count: count)
        var seen = 0
        for (position, (_, numbers)) in members.sorted(by: { $0.key < $1.key }).enumerated() {
            let before = (Double(seen) * share).rounded()
            seen += numbers.count
            let wanted = min(numbers.count - 1, Int((Double(seen) * share).rounded() - before))
            var random = Random(seed: seed, purpose: .split, index: position)
            for chosen in random.permutation(numbers.count).prefix(max(0, wanted)) {
                isHeldOut[numbers[Int(chosen)]] = true
            }
        }
        let validation = isHeldOut.indices.filter { isHeldOut[$0] }
        guard !validation.isEmpty, validation.count < count else {
            throw AnnealError(
                path, "\(share) of its \(count) images in \(members.count) classes leaves no image to hold out")
        }
        return (
            SampleSubset(self, numbers: isHeldOut.indices.filter { !isHeldOut[$0] }),
            SampleSubset(self, numbers: validation)
        )
    }
}
