import AnnealCore
import Foundation
import Testing

@Suite struct AnnealErrorTests {
    @Test func codesStayWithTheError() {
        let error = AnnealError("byte 4", "the file ends", suggestion: "copy it again", code: .damaged)
        #expect(error.within("a.params").code == .damaged)
        #expect(error.within("a.params").description == "a.params: byte 4: the file ends (copy it again)")
        #expect(AnnealError("--lr", "is -1").code == .invalidInput)
    }

    @Test func foundationShowsIt() {
        let error: any Error = AnnealError("a.rec", "is empty", suggestion: "pack it again")
        #expect(error.localizedDescription == "a.rec: is empty")
        #expect((error as? any LocalizedError)?.recoverySuggestion == "pack it again")
        #expect((error as? any LocalizedError)?.failureReason == "is empty")
    }

    @Test func filesTellTheirFaultsApart() {
        #expect(throws: AnnealError.self) { try Files.read("/no/such/file") }
        func code(_ body: () throws -> Void) -> AnnealError.Code? {
            do {
                try body()
                return nil
            } catch { return (error as? AnnealError)?.code }
        }
        #expect(code { _ = try Files.read("/no/such/file") } == .notFound)
        #expect(code { _ = try Files.read("/tmp") } == .ioFailure)
        #expect(code { try Files.writeAtomically(Data(), to: "/no/such/folder/file") } == .notFound)
    }
}
