import AnnealCore
import Foundation

/// The part of Open MPI that is used, from its shared library, which is loaded on demand: neither building nor starting
/// Anneal requires it.
///
/// In Open MPI a communicator, a type or a request is an address, and the predefined ones are symbols of the library.
/// In MPICH they are numbers, so its library cannot be used instead.
struct OpenMPILibrary {
    typealias Handle = UnsafeMutableRawPointer
    typealias Initialise = @convention(c) (Handle?, Handle?, Int32, UnsafeMutablePointer<Int32>) -> Int32
    typealias Finalise = @convention(c) () -> Int32
    typealias Number = @convention(c) (Handle, UnsafeMutablePointer<Int32>) -> Int32
    typealias SetErrorHandler = @convention(c) (Handle, Handle) -> Int32
    /// A block to send or receive, its length in bytes, their type, the other process, a tag, the communicator, and the
    /// request.
    typealias Transfer =
        @convention(c) (
            UnsafeMutableRawPointer?, Int32, Handle, Int32, Int32, Handle, UnsafeMutablePointer<Handle?>
        ) -> Int32
    typealias Probe =
        @convention(c) (Int32, Int32, Handle, UnsafeMutablePointer<Int32>, Handle?) -> Int32
    typealias Take =
        @convention(c) (UnsafeMutableRawPointer?, Int32, Handle, Int32, Int32, Handle, Handle?) -> Int32
    typealias Test = @convention(c) (UnsafeMutablePointer<Handle?>, UnsafeMutablePointer<Int32>, Handle?) -> Int32
    typealias ErrorText = @convention(c) (Int32, UnsafeMutablePointer<CChar>, UnsafeMutablePointer<Int32>) -> Int32
    typealias Version = @convention(c) (UnsafeMutablePointer<CChar>, UnsafeMutablePointer<Int32>) -> Int32

    let initialise: Initialise
    let finalise: Finalise
    let rank: Number
    let size: Number
    let setErrorHandler: SetErrorHandler
    let send: Transfer
    let receive: Transfer
    let test: Test
    let probe: Probe
    let take: Take
    let errorText: ErrorText
    let world: UnsafeMutableRawPointer
    let byte: UnsafeMutableRawPointer
    let errorsReturn: UnsafeMutableRawPointer
    /// E.g. `Open MPI 4.1.4`.
    let version: String
    /// MPI accepts calls from any thread, one at a time.
    let calls = NSLock()

    static let installation = "install it: apt-get install openmpi-bin"

    /// - Throws: `AnnealError` if the library is missing, or is not Open MPI's.
    init() throws {
        // Its own plugins look up the library's symbols among the process's.
        guard let handle = dlopen("libmpi.so.40", RTLD_NOW | RTLD_GLOBAL) else {
            let reason = dlerror().map { String(cString: $0) } ?? "it is not there"
            throw AnnealError(
                "Open MPI", "cannot be loaded: \(reason)", suggestion: Self.installation, code: .notFound)
        }
        func symbol(_ name: String) throws -> UnsafeMutableRawPointer {
            if let symbol = dlsym(handle, name) { return symbol }
            let isMPICH = dlsym(handle, "MPIR_Comm_world_native") != nil || dlsym(handle, "MPID_Init") != nil
            throw AnnealError(
                "Open MPI", "\(isMPICH ? "this is MPICH's library" : "its library has no \(name)")",
                suggestion: Self.installation, code: .unsupported)
        }
        world = try symbol("ompi_mpi_comm_world")
        byte = try symbol("ompi_mpi_byte")
        errorsReturn = try symbol("ompi_mpi_errors_return")
        initialise = unsafeBitCast(try symbol("MPI_Init_thread"), to: Initialise.self)
        finalise = unsafeBitCast(try symbol("MPI_Finalize"), to: Finalise.self)
        rank = unsafeBitCast(try symbol("MPI_Comm_rank"), to: Number.self)
        size = unsafeBitCast(try symbol("MPI_Comm_size"), to: Number.self)
        setErrorHandler = unsafeBitCast(try symbol("MPI_Comm_set_errhandler"), to: SetErrorHandler.self)
        send = unsafeBitCast(try symbol("MPI_Isend"), to: Transfer.self)
        receive = unsafeBitCast(try symbol("MPI_Irecv"), to: Transfer.self)
        probe = unsafeBitCast(try symbol("MPI_Iprobe"), to: Probe.self)
        take = unsafeBitCast(try symbol("MPI_Recv"), to: Take.self)
        test = unsafeBitCast(try symbol("MPI_Test"), to: Test.self)
        errorText = unsafeBitCast(try symbol("MPI_Error_string"), to: ErrorText.self)
        let version = unsafeBitCast(try symbol("MPI_Get_library_version"), to: Version.self)
        // E.g. "Open MPI v4.1.4, package: ...".
        let text = Self.text(limit: 8192) { _ = version($0, $1) }
        self.version = text.split(separator: ",").first.map { $0.replacingOccurrences(of: " v", with: " ") } ?? "MPI"
    }

    func message(_ code: Int32) -> String { Self.text(limit: 512) { _ = errorText(code, $0, $1) } }

    private static func text(
        limit: Int, _ fill: (UnsafeMutablePointer<CChar>, UnsafeMutablePointer<Int32>) -> Void
    ) -> String {
        var buffer = [CChar](repeating: 0, count: limit), length: Int32 = 0
        buffer.withUnsafeMutableBufferPointer { buffer in
            if let base = buffer.baseAddress { fill(base, &length) }
        }
        return String(decoding: buffer.prefix(Int(length)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
