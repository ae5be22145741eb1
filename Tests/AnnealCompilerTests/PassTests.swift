import AnnealCompiler
import AnnealCore
import AnnealGraph
import AnnealNetworks
import Testing

/// Each pass on small programs, without any engine's kernels.
@Suite struct PassTests {
    let builder = SymbolBuilder()
    let data = Symbol.variable("data")

    private func lowered(
        _ symbol: Symbol, _ shape: Shape = [2, 3, 4, 4], mode: Program.Mode = .training
    ) throws -> Program {
        try Lowering.lower(symbol, inputs: ["data": shape], mode: mode)
    }

    private func convolution(_ data: Symbol, _ filters: Int, name: String) throws -> Symbol {
        try builder.convolution(data, numFilter: filters, kernel: [1, 1], noBias: true, name: name)
    }

    // MARK: Lowering

    @Test func loweringKeepsOrderAndKinds() throws {
        let net = try builder.identity(builder.batchNorm(convolution(data, 8, name: "c"), name: "n"))
        let program = try lowered(net)
        // A copy is not an instruction.
        #expect(program.operations == ["Convolution", "BatchNorm"])
        #expect(program.value("data")?.kind == .input)
        #expect(program.value("c_weight")?.kind == .parameter)
        #expect(program.value("n_moving_mean")?.kind == .auxiliary)
        #expect(program.value("c_weight")?.shape == [8, 3, 1, 1])
        // Training keeps the batch's statistics, inference does not.
        #expect(program.instructions[1].writes.count == 3)
        #expect(try lowered(net, mode: .inference).instructions[1].writes.count == 1)
    }

    // MARK: Verification

    @Test func verificationFindsWhatIsWrong() throws {
        let program = try lowered(builder.activation(convolution(data, 8, name: "c"), .relu))
        var reversed = program
        reversed.instructions.reverse()
        #expect(throws: AnnealError.self) { try reversed.verify(after: "test") }
        var twice = program
        twice.instructions.append(program.instructions[1])
        #expect(throws: AnnealError.self) { try twice.verify(after: "test") }
        var blocked = program
        blocked.values[program.variables["c_weight"]!].shape = [8, 3]
        blocked.values[program.variables["c_weight"]!].layout = .blocked(8)
        #expect(throws: AnnealError.self) { try blocked.verify(after: "test") }
        #expect(throws: Never.self) { try program.verify(after: "test") }
    }

    // MARK: Fusion

    @Test func fusionJoinsOnlyWhatNothingElseReads() throws {
        let norm = try builder.batchNorm(data, name: "n")
        let joined = try Fusion.fuse(lowered(builder.activation(norm, .relu)))
        #expect(joined.operations == ["fused BatchNorm"])
        let shared = try Fusion.fuse(lowered(Symbol.group([builder.activation(norm, .relu), norm])))
        #expect(shared.operations == ["fused BatchNorm", "Activation"])
        let sum = try builder.activation(builder.add(norm, data), .relu)
        let added = try Fusion.fuse(lowered(sum))
        #expect(added.operations == ["fused BatchNorm"])
        #expect(added.instructions[0].reading(.input(5)) == added.variables["data"])
        // Sigmoid does not clamp.
        #expect(try Fusion.fuse(lowered(builder.activation(norm, .sigmoid))).operations.count == 2)
    }

    @Test func inferenceFoldsBatchNormIntoWeights() throws {
        let net = try builder.activation(builder.batchNorm(convolution(data, 8, name: "c"), name: "n"), .relu)
        let program = try InferenceFusion.fuse(lowered(net, mode: .inference))
        #expect(program.operations == ["fused Convolution"])
        #expect(program.preparation.map(\.operation) == ["folding of BatchNorm"])
        let weight = try #require(program.instructions[0].reading(.input(1)))
        #expect(program.values[weight].kind == .derived)
        // A batch norm before a convolution stays: the padding is zero after the norm.
        let before = try convolution(builder.batchNorm(data, name: "before"), 8, name: "after")
        #expect(try InferenceFusion.fuse(lowered(before, mode: .inference)).operations == ["BatchNorm", "Convolution"])
    }

    // MARK: Layouts

    @Test func layoutsChangeOnceForEachValue() throws {
        let first = try convolution(data, 8, name: "a"), second = try convolution(data, 8, name: "b")
        let net = try builder.flatten(builder.activation(builder.add(first, second), .relu))
        let program = try LayoutAssignment.assign(lowered(net), engine: BlockedEngine(), fixed: [:])
        // The data once, although two convolutions read it; once more before the plain layer.
        #expect(program.operations.count { $0 == "relayout" } == 2)
        #expect(program.operations.first == "relayout")
        #expect(program.operations.suffix(2) == ["relayout", "Flatten"])
    }

    @Test func layoutsOfAnEarlierProgramStay() throws {
        let net = try convolution(data, 8, name: "a")
        let program = try LayoutAssignment.assign(
            lowered(net), engine: BlockedEngine(), fixed: ["a_weight": .blocked(8)])
        #expect(program.value("a_weight")?.layout == .blocked(8))
        // The convolution gets a plain copy.
        #expect(program.operations == ["relayout", "relayout", "Convolution"])
    }

    // MARK: Differentiation

    @Test func differentiationFollowsWhatIsWanted() throws {
        let net = try builder.softmaxOutput(
            builder.fullyConnected(builder.flatten(convolution(data, 8, name: "c")), numHidden: 2, name: "f"),
            name: "softmax")
        let program = try lowered(net)
        let all = try Autodiff.differentiate(program, wanted: ["c_weight", "f_weight", "f_bias"], engine: nil)
        #expect(
            all.operations.dropFirst(program.instructions.count) == [
                "SoftmaxOutput backward 0", "FullyConnected backward 0", "FullyConnected backward 1",
                "Flatten backward 0", "Convolution backward 0",
            ])
        #expect(all.gradients.keys.sorted() == ["c_weight", "f_bias", "f_weight"])
        #expect(all.heads.isEmpty)
        // Nothing is computed below the requested gradients.
        let last = try Autodiff.differentiate(program, wanted: ["f_bias"], engine: nil)
        #expect(
            last.operations.dropFirst(program.instructions.count) == [
                "SoftmaxOutput backward 0", "FullyConnected backward 0",
            ])
    }

    @Test func gradientsOfSharedValuesAreSummed() throws {
        let shared = try builder.activation(data, .sigmoid)
        let net = try builder.elementwise(
            .multiply, builder.activation(shared, .tanh), builder.activation(shared, .relu))
        let program = try Autodiff.differentiate(lowered(net), wanted: ["data"], engine: nil)
        #expect(program.operations.count { $0 == "sum" } == 1)
        // The output is not a loss: its gradient is an input.
        #expect(program.heads.keys.sorted() == [0])
        // A pooling's kernel adds to the existing gradient.
        let pooled = try Symbol.group([
            builder.pooling(shared, kind: .max, kernel: [2, 2]), builder.pooling(shared, kind: .avg, kernel: [2, 2]),
        ])
        let folded = try Autodiff.differentiate(lowered(pooled), wanted: ["data"], engine: BlockedEngine())
        #expect(!folded.operations.contains("sum"))
        #expect(folded.instructions.contains { $0.reading(.accumulated) != nil })
    }

    @Test func additionsPassGradientsOn() throws {
        let net = try builder.add(builder.activation(data, .tanh), data)
        let program = try Autodiff.differentiate(lowered(net), wanted: ["data"], engine: nil)
        #expect(program.operations == ["Activation", "elemwise_add", "Activation backward 0", "sum"])
    }

    /// One gradient serves both inputs, even if only the second is requested.
    @Test(arguments: ["a_weight", "b_weight"])
    func fusedAdditionsShareAGradient(_ wanted: String) throws {
        let sum = try builder.add(convolution(data, 8, name: "a"), convolution(data, 8, name: "b"))
        let fused = try Fusion.fuse(lowered(builder.activation(sum, .relu)))
        let program = try Autodiff.differentiate(fused, wanted: [wanted], engine: BlockedEngine())
        #expect(
            program.operations == [
                "Convolution", "Convolution", "fused addition", "fused addition backward 0", "Convolution backward 0",
            ])
        #expect(program.gradients.keys.sorted() == [wanted])
    }

    // MARK: Operators

    /// An addition that no pass knows by its type.
    private struct OwnSum: Operator {
        var operation: String { "own sum" }
        var inputNames: [String] { ["a", "b"] }
        var isSum: Bool { true }
        func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? { try sameShape(&inputs) }
    }

    @Test func passesAskForProperties() throws {
        var program = try lowered(builder.add(builder.activation(data, .tanh), data))
        program.instructions[1].action = .forward(OwnSum())
        let result = try Autodiff.differentiate(program, wanted: ["data"], engine: nil)
        #expect(result.operations == ["Activation", "own sum", "Activation backward 0", "sum"])
        var normed = try lowered(builder.activation(builder.add(builder.batchNorm(data, name: "n"), data), .relu))
        normed.instructions[1].action = .forward(OwnSum())
        #expect(try Fusion.fuse(normed).operations == ["fused BatchNorm"])
    }

    /// A layer that no pass knows by its type: its weight's first axis is the output's channels.
    private struct OwnLayer: LinearLayer {
        var noBias = true
        var operation: String { noBias ? "own layer" : "own layer with a bias" }
        var inputNames: [String] { noBias ? ["data", "weight"] : ["data", "weight", "bias"] }
        func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? { try sameShape(&inputs) }
        func channelsOfWeight(output: Shape) -> (axis: Int, groups: Int)? { (0, 1) }
    }

    @Test func batchNormBecomesPartOfAnyLinearLayer() throws {
        var program = try lowered(
            builder.batchNorm(convolution(data, 3, name: "c"), name: "n"), mode: .inference)
        program.instructions[0].action = .forward(OwnLayer())
        let folded = try InferenceFusion.fuse(program)
        #expect(folded.operations == ["own layer with a bias"])
        #expect(folded.preparation.map(\.operation) == ["folding of BatchNorm"])
    }

    /// Clamping is fused into a convolution only if its range includes zero, since the channels that pad a block are
    /// zero.
    @Test(arguments: [(0, 6, 1), (-1, 1, 1), (1, 6, 2)]) func limitsGoIntoConvolutions(low: Int, high: Int, left: Int)
        throws
    {
        let net = try builder.clip(convolution(data, 8, name: "c"), from: low, to: high)
        #expect(try InferenceFusion.fuse(lowered(net, mode: .inference)).operations.count == left)
    }

    // MARK: Shards

    /// Gradients of parameters are summed, each once; the statistics that batch norm changes are averaged.
    @Test func shardsReduceGradientsAndStatistics() throws {
        let first = try builder.batchNorm(data, fixGamma: true, name: "a")
        let kept = try builder.batchNorm(first, fixGamma: false, useGlobalStats: true, name: "b")
        let net = try builder.softmaxOutput(builder.fullyConnected(kept, numHidden: 2, name: "fc"), name: "softmax")
        let program = try Autodiff.differentiate(
            lowered(net), wanted: ["a_beta", "b_gamma", "fc_weight", "fc_bias", "data"], engine: nil)
        let reduction = ShardReduction(program)
        #expect(reduction.gradients == ["a_beta", "b_gamma", "fc_bias", "fc_weight"])
        #expect(reduction.statistics == ["a_moving_mean", "a_moving_var"] && reduction.fixed == ["a_gamma"])
        let fused = ShardReduction(try Fusion.fuse(lowered(net)))
        #expect(fused.statistics == reduction.statistics && fused.fixed == reduction.fixed)
        // One gradient of two parameters.
        let sum = try builder.add(builder.add(data, Symbol.variable("v")), Symbol.variable("w"))
        let shared = try Autodiff.differentiate(
            lowered(builder.softmaxOutput(builder.flatten(sum), name: "loss")), wanted: ["v", "w"], engine: nil)
        #expect(shared.gradients.count == 2 && ShardReduction(shared).gradients == ["v"])
    }

    @Test func operatorsOfTheCompilerAreInNoFile() {
        let own: [any Operator.Type] = [
            AddReLU.self, BatchNormFolding.self, FusedBatchNorm.self, FusedConvolution.self, Relayout.self,
        ]
        #expect(!own.contains { $0 is any SymbolOperator.Type })
    }

    // MARK: Updates within the backward pass

    /// A rule with one state, for programs that are not run.
    struct Momentum: UpdateRule {
        var stateCount: Int { 1 }
        var sums: RuleSums { .none }
        var drawsNoise: Bool { false }
        var choices: (Bool, Bool) { (false, false) }
        func stateStart(_ index: Int) -> StateStart { .weight }
        func terms<N: RuleNumber>(_ element: RuleElement<N>, _ k: RuleNumbers<N>) -> (N, N) { (N(0), N(0)) }
        func adapt<N: RuleNumber>(_ k: inout RuleNumbers<N>, to sums: (N, N)) {}
        func update<N: RuleNumber>(_ element: inout RuleElement<N>, _ k: RuleNumbers<N>) {}
        func update(_ slice: RuleSlice) {}
        func staysFinite(_ slice: RuleSlice) -> Bool { true }
        func sums(over slice: RuleSlice) -> (Double, Double) { (0, 0) }
    }

    /// Two layers and a batch norm: 20,000 weights in the first, few elsewhere.
    private func updated(_ change: (inout TrainingUpdate) -> Void = { _ in }) throws -> Program {
        let builder = SymbolBuilder()
        let net = try builder.softmaxOutput(
            builder.fullyConnected(
                builder.fullyConnected(
                    builder.flatten(builder.batchNorm(data, name: "n")), numHidden: 500, name: "a"), numHidden: 2,
                name: "b"),
            name: "softmax")
        let order = ["n_gamma", "n_beta", "a_weight", "a_bias", "b_weight", "b_bias", "n_moving_mean", "n_moving_var"]
        var update = TrainingUpdate(Momentum())
        update.order = order
        change(&update)
        let program = try Autodiff.differentiate(lowered(net), wanted: Set(order.prefix(6)), engine: nil)
        return try UpdatePass.insert(update, into: UpdatePass.choose(update, in: program))
    }

    @Test func largeParametersAreUpdatedAfterTheirLastReader() throws {
        let result = try updated()
        #expect(result.updatedEarly == ["a_weight"])
        #expect(!result.kept.contains(try #require(result.gradients["a_weight"])))
        #expect(result.states.map { result.values[$0].name } == result.trained.map { "optimizer:\($0):0" })
        let place = try #require(result.instructions.firstIndex { $0.operation == "update" })
        #expect(result.instructions[place].layer == "a_weight")
        let values = Set(result.instructions[place].reads.map(\.value))
        for later in result.instructions[(place + 1)...] where later.phase != .start {
            #expect(!(later.reads + later.writes).contains { values.contains($0.value) })
        }
        // The gradient of the layer's data reads its weight after the weight's gradient is complete.
        #expect(result.instructions[place - 2].operation == "FullyConnected backward 1")
        #expect(result.operations.count { $0 == "update" } == 2)
    }

    @Test func updatesWaitWhereAllGradientsAreNeeded() throws {
        for change: (inout TrainingUpdate) -> Void in [
            { $0.limitsNorm = true }, { $0.isGuarded = true }, { $0.keepsGradients = true },
        ] {
            let result = try updated(change)
            #expect(result.updatedEarly.isEmpty && result.operations.count { $0 == "update" } == 1)
        }
        let limited = try updated { $0.limitsNorm = true }
        let norm = try #require(limited.instructions.first { $0.operation == "norm" }?.writing(.output(0)))
        #expect(limited.instructions.first { $0.operation == "update" }?.reading(.scale) == norm)
    }

    @Test func sumsOverBatchesComeBetweenGradientsAndUpdate() throws {
        let result = try updated { $0.accumulation = 5 }
        // Sums of one, two and four batches for each of six parameters.
        #expect(result.states.count == 6 + 3 * 6)
        let sum = try #require(result.instructions.first { $0.operation == "sum over batches" })
        let update = try #require(result.instructions.first { $0.operation == "update" })
        #expect(sum.layer == "a_weight" && update.layer == "a_weight")
        #expect(update.reading(.input(0)) == sum.reading(.changed(0)))
    }

    @Test func aGuardedStepRestoresStatistics() throws {
        let result = try updated {
            $0.isGuarded = true
            $0.averaging = .movingAverage
        }
        #expect(result.instructions[0].operation == "copy" && result.backwardStart == 6)
        #expect(result.operations.count { $0 == "restore" } == 2)
        let check = try #require(result.instructions.first { $0.operation == "finite check" })
        let flags = try #require(check.writing(.output(0)))
        let update = try #require(result.instructions.first { $0.operation == "update" })
        #expect(update.reading(.condition) == flags)
        #expect(result.checks.flatMap(\.subjects).contains(.loss))
        // Averages follow the result of the update, if it changed anything.
        #expect(
            result.instructions.filter { $0.operation == "average" }.allSatisfy {
                $0.reading(.condition) == update.writing(.output(0))
            })
    }

    @Test func gradientsOfBatchesAreAddedInABinaryTree() {
        typealias Merge = StepInputs.Merge
        #expect((0..<5).map { Merge(batch: $0, isLast: false).target } == [0, 1, 0, 2, 0])
        #expect((0..<4).map { Merge(batch: $0, isLast: false).levels } == [[], [0], [], [0, 1]])
        #expect(Merge(batch: 4, isLast: true).levels == [2] && Merge(batch: 5, isLast: true).levels == [0, 2])
        #expect(Merge(rest: 6).levels == [1, 2] && !Merge(rest: 6).takesGradient)
        #expect([1, 2, 3, 4, 5, 8, 9].map(Merge.levelCount) == [0, 1, 2, 2, 3, 3, 4])
    }

    // MARK: Recomputation

    @Test func whatIsNotKeptIsComputedAgainBeforeItIsRead() throws {
        let net = try builder.softmaxOutput(
            builder.fullyConnected(
                builder.flatten(builder.activation(builder.activation(data, .tanh), .sigmoid)), numHidden: 2, name: "f"),
            name: "softmax")
        let program = try Autodiff.differentiate(lowered(net), wanted: ["data", "f_weight"], engine: nil)
        var kept = Array(repeating: true, count: program.values.count)
        for instruction in program.instructions.prefix(2) { kept[instruction.writes[0].value] = false }
        let graph = ForwardGraph(program, repeatsFromSaved: BlockedEngine().repeatsFromSaved)
        let result = Recomputed(program, graph: graph, kept: kept)
        #expect(throws: Never.self) { try result.program.verify(after: "test") }
        #expect(result.program.operations.count { $0 == "Activation again" } == 2)
        #expect(result.origins.count == result.program.instructions.count)
        // No backward instruction reads a value that was not kept.
        let dropped = Set(program.values.indices.filter { !kept[$0] })
        for instruction in result.program.instructions[program.backwardStart...] where !instruction.isRepetition {
            #expect(!instruction.reads.contains { dropped.contains($0.value) })
        }
    }

    // MARK: Memory

    /// Random programs of values that are alive from their first use to their last.
    @Test(arguments: 0..<20)
    func plansNeverOverlap(_ seed: Int) throws {
        var random = Random(seed: UInt64(seed), purpose: .test)
        var program = Program(mode: .inference)
        program.variables["data"] = program.add(.init(name: "data", shape: [7], kind: .input))
        for index in 0..<30 {
            let value = program.add(.init(name: "v\(index)", shape: [1 + random.below(90)], kind: .temporary))
            let reads = (0..<(1 + random.below(3))).map { Program.Operand.input($0) }
                .map { (role: $0, value: random.below(value)) }
            program.instructions.append(
                .init(layer: "l\(index)", action: .sum, reads: reads, writes: [(.output(0), value)]))
        }
        program.outputs = [program.values.count - 1]
        let needs = program.instructions.map { _ in
            KernelNeeds(scratch: random.bool() ? random.below(50) : 0)
        }
        let plan = MemoryPlan(program, needs: needs)
        #expect(plan.size >= plan.lowerBound)
        var last = Array(repeating: -1, count: program.values.count)
        for (index, instruction) in program.instructions.enumerated() {
            for (_, value) in instruction.reads + instruction.writes { last[value] = index }
        }
        last[0] = program.instructions.count
        last[program.outputs[0]] = program.instructions.count
        func range(_ value: Int) -> Range<Int> {
            let offset = plan.offsets[value] ?? 0
            return offset..<(offset + program.values[value].shape.count)
        }
        for (index, instruction) in program.instructions.enumerated() {
            let written = instruction.writes[0].value
            let living = program.values.indices.filter { $0 != written && $0 < written && last[$0] >= index }
            for value in living {
                #expect(!range(value).overlaps(range(written)), "\(value) and \(written) overlap at \(index)")
                if let scratch = plan.scratchOffsets[index] {
                    #expect(!range(value).overlaps(scratch..<(scratch + needs[index].scratch)))
                }
            }
            #expect(range(written).upperBound <= plan.size)
        }
    }
}

extension Program.Instruction {
    fileprivate var isRepetition: Bool { if case .recompute = action { true } else { false } }
}
