import AnnealCompiler
import AnnealCore

/// Host memory for the inputs of one step.
final class Staging {
    let memory: [Program.ValueID: UnsafeMutableBufferPointer<Float>]
    private struct Key: Hashable { let id, shard, device: Int }
    private var buffers: [Key: PJRTBuffer] = [:]

    init(_ program: Program) {
        var memory: [Program.ValueID: UnsafeMutableBufferPointer<Float>] = [:]
        for (id, value) in program.values.enumerated() where value.kind == .input {
            let array = UnsafeMutableBufferPointer<Float>.allocate(capacity: value.shape.count)
            // Without other wishes an output's gradient is one everywhere, as in MXNet.
            array.initialize(repeating: program.heads.values.contains(id) ? 1 : 0)
            memory[id] = array
        }
        self.memory = memory
    }

    deinit { for array in memory.values { array.deallocate() } }

    func forgetUploads() { buffers = [:] }

    /// A shard's part, or all of what has no samples, on a device.
    func buffer(_ id: Program.ValueID, _ engine: XLAEngine, shard: Int, shape: Shape, device: Int) throws -> PJRTBuffer
    {
        let key = Key(id: id, shard: shard, device: device)
        if let known = buffers[key] { return known }
        guard let memory = memory[id] else {
            throw AnnealError("input \(id)", "has no memory", code: .internalDefect)
        }
        let first = shape.count == memory.count ? 0 : shard * shape.count
        let part = UnsafeMutableBufferPointer(rebasing: memory[first..<first + shape.count])
        let made = try engine.upload(UnsafeRawBufferPointer(part), .f32, shape.dims, to: device)
        buffers[key] = made
        return made
    }
}

/// What a step has given: copied from the device when it is asked for.
final class Results: StepResults {
    /// In plain order, by value; of each shard, or one for all.
    private var outputs: [Program.ValueID: [PJRTBuffer]] = [:]
    private let program: Program
    private let engine: XLAEngine
    private let staging: Staging?
    private var copies: [Program.ValueID: UnsafeMutableBufferPointer<Float>] = [:]

    init(_ program: Program, _ engine: XLAEngine, _ staging: Staging?) {
        self.program = program
        self.engine = engine
        self.staging = staging
    }

    deinit { for copy in copies.values { copy.deallocate() } }

    func output(_ index: Int) throws -> UnsafeBufferPointer<Float>? {
        guard program.outputs.indices.contains(index) else { return nil }
        return try copy(program.outputs[index])
    }

    func input(_ name: String) throws -> UnsafeBufferPointer<Float>? {
        let id = program.values.firstIndex { $0.kind == .input && $0.name == name }
        return id.flatMap { staging?.memory[$0] }.map { UnsafeBufferPointer($0) }
    }

    func flags(_ check: Int) throws -> UnsafeBufferPointer<Float> {
        guard program.checks.indices.contains(check) else {
            throw AnnealError("check \(check)", "is not in the plan", code: .internalDefect)
        }
        // Those of an update that this step has not made have nothing to say.
        let id = program.checks[check].value
        return try copy(id, else: 1)
    }

    func add(_ output: PJRTBuffer, _ id: Program.ValueID, shard: Int) {
        if shard == 0 { outputs[id] = [] }
        outputs[id]?.append(output)
    }

    func has(_ id: Program.ValueID) -> Bool { outputs[id] != nil }

    /// A value on the host; it stays while the results are held.
    func copy(_ id: Program.ValueID, else missing: Float? = nil) throws -> UnsafeBufferPointer<Float> {
        if let known = copies[id] { return UnsafeBufferPointer(known) }
        let count = program.values[id].shape.count
        if outputs[id] == nil, let missing {
            let made = UnsafeMutableBufferPointer<Float>.allocate(capacity: count)
            made.initialize(repeating: missing)
            copies[id] = made
            return UnsafeBufferPointer(made)
        }
        guard let buffers = outputs[id] else {
            throw AnnealError(
                "value \(program.values[id].name)", "was not computed in this step", code: .internalDefect)
        }
        let made = UnsafeMutableBufferPointer<Float>.allocate(capacity: count)
        made.initialize(repeating: 0)
        copies[id] = made
        let size = count / max(1, buffers.count)
        let events = try buffers.enumerated().map { shard, buffer in
            let part = UnsafeMutableBufferPointer(rebasing: made[shard * size..<(shard + 1) * size])
            return try buffer.download(to: UnsafeMutableRawBufferPointer(part))
        }
        for event in events { try event.wait() }
        return UnsafeBufferPointer(made)
    }
}
