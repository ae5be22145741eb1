import AnnealCompiler
import AnnealCore
import AnnealGraph

/// The programs for a request: one for the whole batch, and one for a single shard of it.
struct ShardPrograms {
    let shards: Int
    let batch: Program
    /// Has the values and instructions of the batch's program, but fewer samples.
    let shard: Program

    /// - Parameters:
    ///   - wanted: the requested number of shards.
    ///   - isOfAll: whether all processes of a job share the batch, so that it must be divisible.
    /// - Throws: `AnnealError` if the batch is not divisible.
    init(_ request: PlanRequest, shards wanted: Int, isOfAll: Bool = false) throws {
        shards = try Self.shards(request, wanted: wanted, isOfAll: isOfAll)
        let whole = try Self.differentiated(request, shards: 1)
        let part = shards == 1 ? whole : try Self.differentiated(request, shards: shards)
        let kept = Self.keptValues(request, part)
        batch = try Self.completed(whole, request, kept: kept)
        shard = shards == 1 ? batch : try Self.completed(part, request, kept: kept)
    }

    /// The program of the batch, with room for the inputs of some shards.
    func batch(of own: Range<Int>) -> Program {
        var program = batch
        for (id, value) in program.values.enumerated()
        where value.kind == .input && value.shape != shard.values[id].shape {
            program.values[id].shape[0] = shard.values[id].shape[0] * own.count
        }
        return program
    }

    /// The labels among the inputs.
    func labels(_ request: PlanRequest) throws -> [Program.ValueID] {
        guard case .network(let symbol, _, _) = request.source else { return [] }
        return try symbol.labelNames().compactMap(batch.input)
    }

    private static func shards(_ request: PlanRequest, wanted: Int, isOfAll: Bool) throws -> Int {
        guard wanted > 1, case .network = request.source else { return 1 }
        guard let batch = batchSize(request) else {
            guard !isOfAll else {
                throw AnnealError(
                    "network", "has inputs of different numbers of rows, which processes cannot share",
                    suggestion: "train in one process", code: .unsupported)
            }
            return 1
        }
        if batch % wanted == 0 { return wanted }
        // When one process scores, an indivisible batch is computed as a whole.
        guard request.mode == .training || isOfAll else { return 1 }
        let less = batch / wanted * wanted, more = less + wanted
        throw AnnealError(
            "batch size \(batch)", "does not divide into \(wanted) shards",
            suggestion: less > 0 ? "use \(less) or \(more)" : "use \(more)", code: .mismatch)
    }

    /// The first axis of every input; nil if they differ.
    private static func batchSize(_ request: PlanRequest) -> Int? {
        guard case .network(_, let inputs, _) = request.source else { return nil }
        let extents = Set(inputs.values.compactMap(\.dims.first))
        return extents.count == 1 ? extents.first : nil
    }

    /// With recomputation and the update.
    private static func completed(_ program: Program, _ request: PlanRequest, kept: [Bool]?) throws -> Program {
        var result = program
        if let kept {
            result = Recomputed(program, graph: graph(program), kept: kept).program
            try result.verify(after: "recomputation")
        }
        return try request.withUpdate(result)
    }

    private static func differentiated(_ request: PlanRequest, shards: Int) throws -> Program {
        let part = shards == 1 ? request : request.shard(rows: (batchSize(request) ?? 0) / shards)
        return try part.passes(updatesEarly: false)
    }

    /// Which values the forward pass keeps for the backward pass; nil: all that it reads. Cheap operations are fused
    /// into their readers in any case, so only `--recompute` has an effect.
    private static func keptValues(_ request: PlanRequest, _ program: Program) -> [Bool]? {
        guard request.mode == .training, case .network = request.source, request.recomputation != .cheap,
            request.recomputation != .off
        else { return nil }
        return RecomputationSearch.kept(request.recomputation, in: program, graph: graph(program))
    }

    private static func graph(_ program: Program) -> ForwardGraph {
        ForwardGraph(program, repeatsFromSaved: { $0.savesStatistics })
    }
}
