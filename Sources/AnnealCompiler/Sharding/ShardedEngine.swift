import AnnealCore
import AnnealGraph

/// Devices of one kind that share each batch, split into shards; also one device that computes a batch shard by shard,
/// and the devices of several processes.
///
/// The results depend on the number of shards, but not on the number of devices or processes.
public final class ShardedEngine: Engine {
    let devices: [any KernelEngine]
    let threads: [DeviceThread?]
    /// Threads of each device.
    let pool: Int
    package let shards: Int
    /// The processes that train together; nil: only this one.
    public let group: (any ProcessGroup)?
    /// Exchanges gradients with the other processes while the devices compute.
    let exchangeThread: DeviceThread?
    /// Gradients are sent as soon as there are this many bytes of them.
    let bucketBytes: Int
    package static let defaultBucketBytes = 4 << 20
    let compression: GradientCompression

    /// - Parameters:
    ///   - pool: threads of each device.
    ///   - shards: number of shards of each batch, over all processes.
    ///   - bucketBytes: gradients are exchanged in buckets of at least this many bytes; has no effect on results.
    ///   - compression: of gradients between processes; 2-bit compression applies to each shard, even in a single
    ///     process.
    /// - Throws: `AnnealError` if there are more devices than shards, or the system cannot start threads.
    package init(
        _ devices: [any KernelEngine], pool: Int, shards: Int, group: (any ProcessGroup)? = nil,
        bucketBytes: Int = defaultBucketBytes, compression: GradientCompression = .none
    ) throws {
        try Shards.check(shards, devices: devices.count, processes: group?.size ?? 1)
        self.devices = devices
        self.shards = shards
        self.group = group
        self.pool = pool
        self.bucketBytes = bucketBytes
        self.compression = compression
        exchangeThread = try group.map { _ in try DeviceThread("anneal-exchange", pool: 1) }
        threads = try devices.indices.map { $0 == 0 ? nil : try DeviceThread("anneal-device-\($0)", pool: pool) }
    }

    public var name: String { devices[0].name }

    public var machine: RunMachine {
        var machine = devices[0].machine
        if shards > 1 { machine.kernels += ", \(shards) shards" }
        return machine
    }

    public func supports(_ type: any Operator.Type) -> Bool { devices[0].supports(type) }

    public func plan(_ request: PlanRequest, store: ParameterStore) throws -> any ExecutablePlan {
        guard case .network(_, let inputs, _) = request.source else {
            return try devices[0].plan(request, store: store)
        }
        let extents = Set(inputs.values.map { $0.dims.first ?? 0 })
        guard let batch = extents.first, extents.count == 1 else {
            throw AnnealError(
                "network", "has inputs of \(extents.sorted().map(String.init).joined(separator: " and ")) rows",
                suggestion: "without --shards and on one device it runs", code: .unsupported)
        }
        let shards =
            request.mode == .training
            ? try Shards(batch: batch, count: shards) : Shards(batch: batch, most: shards)
        var request = request
        // The devices of one process would have to wait for each other's updates.
        if let group, group.size > 1, devices.count == 1, request.update?.canBeGrouped == true {
            request.update?.groupBytes = bucketBytes
        }
        return try ShardedPlan(request, shards, store: store, engine: self)
    }

    /// This process's shards of a batch that is split into a number of shards.
    func ownShards(of count: Int) -> Range<Int> {
        Shards.range(of: group?.rank ?? 0, workers: group?.size ?? 1, count: count)
    }

    public func rows(of batch: Int) -> Range<Int> {
        let shards = Shards(batch: batch, most: shards)
        return shards.rows(of: shards.own(group))
    }

    public func gather(
        _ own: UnsafeBufferPointer<Float>, batch: Int, into all: UnsafeMutableBufferPointer<Float>
    ) throws {
        try Shards(batch: batch, most: shards).gather(own, group, into: all)
    }
}
