import AnnealCompiler
import AnnealCore

/// Host memory for the inputs of one step, from which they are uploaded while the host prepares the next step.
final class Staging {
    private struct Key: Hashable { let id, shard, device: Int }

    private let program: Program
    private var floats: [Program.ValueID: UnsafeMutableBufferPointer<Float>] = [:]
    private var pixels: [Program.ValueID: UnsafeMutableBufferPointer<UInt8>] = [:]
    /// The inputs that are 8-bit pixels in this step.
    private(set) var scalings: [Program.ValueID: PixelScaling] = [:]
    private var buffers: [Key: PJRTBuffer] = [:]
    private var uploads: [PJRTEvent] = []

    init(_ program: Program) { self.program = program }

    deinit {
        finishUploads()
        for array in floats.values { array.deallocate() }
        for array in pixels.values { array.deallocate() }
    }

    /// Memory for an input's floats.
    func floats(_ id: Program.ValueID) -> UnsafeMutableBufferPointer<Float> {
        scalings[id] = nil
        if let known = floats[id] { return known }
        let array = UnsafeMutableBufferPointer<Float>.allocate(capacity: program.values[id].shape.count)
        // By default an output's gradient is all ones, as in MXNet.
        array.initialize(repeating: program.heads.values.contains(id) ? 1 : 0)
        floats[id] = array
        return array
    }

    /// Memory for an input's pixels.
    func pixels(_ id: Program.ValueID, _ scaling: PixelScaling) -> UnsafeMutableBufferPointer<UInt8> {
        scalings[id] = scaling
        if let known = pixels[id] { return known }
        let array = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: program.values[id].shape.count)
        array.initialize(repeating: 0)
        pixels[id] = array
        return array
    }

    /// Releases the devices' copies once nothing runs on them.
    func forgetUploads() { buffers = [:] }

    /// Waits until the memory may be changed.
    func finishUploads() {
        // A failed upload makes the step that reads it fail.
        for upload in uploads { try? upload.wait() }
        uploads = []
    }

    /// A shard's part on a device; the whole array if it has no sample axis.
    func buffer(_ id: Program.ValueID, _ engine: XLAEngine, shard: Int, shape: Shape, device: Int) throws -> PJRTBuffer
    {
        let key = Key(id: id, shard: shard, device: device)
        if let known = buffers[key] { return known }
        let first = shape.count == program.values[id].shape.count ? 0 : shard * shape.count
        let part = first..<first + shape.count
        let (made, event) =
            if scalings[id] != nil, let memory = pixels[id] {
                try engine.startUpload(
                    UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(memory)[part]), .ui8, shape.dims,
                    to: device)
            } else {
                try engine.startUpload(
                    UnsafeRawBufferPointer(UnsafeMutableBufferPointer(rebasing: floats(id)[part])), .f32, shape.dims,
                    to: device)
            }
        buffers[key] = made
        uploads.append(event)
        return made
    }
}

/// A step's results, copied from the device on demand.
final class Results: StepResults {
    /// In plain order, by value; one per shard, or one for all.
    private var outputs: [Program.ValueID: [PJRTBuffer]] = [:]
    private let program: Program
    private let engine: XLAEngine
    private let staging: Staging?
    private var copies: [Program.ValueID: UnsafeMutableBufferPointer<Float>] = [:]
    /// Inputs of the whole batch, if processes share it.
    private var inputs: [Program.ValueID: UnsafeMutableBufferPointer<Float>] = [:]

    init(_ program: Program, _ engine: XLAEngine, _ staging: Staging?) {
        self.program = program
        self.engine = engine
        self.staging = staging
    }

    deinit { for copy in Array(copies.values) + inputs.values { copy.deallocate() } }

    func output(_ index: Int) throws -> UnsafeBufferPointer<Float>? {
        guard program.outputs.indices.contains(index) else { return nil }
        return try copy(program.outputs[index])
    }

    func input(_ name: String) throws -> UnsafeBufferPointer<Float>? {
        guard let id = program.input(name), let staging, staging.scalings[id] == nil else { return nil }
        if let whole = inputs[id] { return UnsafeBufferPointer(whole) }
        return UnsafeBufferPointer(staging.floats(id))
    }

    func flags(_ check: Int) throws -> UnsafeBufferPointer<Float> {
        guard program.checks.indices.contains(check) else {
            throw AnnealError("check \(check)", "is not in the plan", code: .internalDefect)
        }
        // The flags of an update that this step did not make are all set.
        let id = program.checks[check].value
        return try copy(id, else: 1)
    }

    func add(_ output: PJRTBuffer, _ id: Program.ValueID, shard: Int) {
        if shard == 0 { outputs[id] = [] }
        outputs[id]?.append(output)
    }

    func has(_ id: Program.ValueID) -> Bool { outputs[id] != nil }

    /// A value on the host; it stays valid while the results are held.
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
        try download(buffers, into: made)
        return UnsafeBufferPointer(made)
    }

    private func download(_ buffers: [PJRTBuffer], into target: UnsafeMutableBufferPointer<Float>) throws {
        let size = target.count / max(1, buffers.count)
        let events = try buffers.enumerated().map { shard, buffer in
            let part = UnsafeMutableBufferPointer(rebasing: target[shard * size..<(shard + 1) * size])
            return try buffer.download(to: UnsafeMutableRawBufferPointer(part))
        }
        for event in events { try event.wait() }
    }

    /// Gives all processes the labels and outputs of the whole batch. This is part of the step: all processes exchange
    /// in the same order, no matter which of them read the results.
    func gather(_ labels: [Program.ValueID], _ shards: Shards, _ group: any ProcessGroup) throws {
        let rows = shards.rows(of: shards.own(group)).count
        func gathered(_ own: UnsafeMutableBufferPointer<Float>) throws -> UnsafeMutableBufferPointer<Float> {
            let all = UnsafeMutableBufferPointer<Float>.allocate(capacity: own.count / max(1, rows) * shards.batch)
            all.initialize(repeating: 0)
            do { try shards.gather(UnsafeBufferPointer(own), group, into: all) } catch {
                all.deallocate()
                throw error
            }
            return all
        }
        for id in labels {
            guard let staging, staging.scalings[id] == nil else { continue }
            inputs[id] = try gathered(staging.floats(id))
        }
        for id in program.outputs where copies[id] == nil {
            guard let buffers = outputs[id] else { continue }
            let width = program.values[id].shape.count / max(1, shards.batch)
            let own = UnsafeMutableBufferPointer<Float>.allocate(capacity: rows * width)
            own.initialize(repeating: 0)
            defer { own.deallocate() }
            try download(buffers, into: own)
            copies[id] = try gathered(own)
        }
    }
}
