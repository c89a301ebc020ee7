// Made by `npm run types` from openapi.json.
export interface paths {
    "/api/v1/channels": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List the channels that this node follows and publishes */
        get: operations["getChannels"];
        put?: never;
        /** Follow a channel, create one, or import the key of one */
        post: operations["postChannels"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/channels/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show a channel */
        get: operations["getChannelsOne"];
        put?: never;
        post?: never;
        /** Unfollow a channel, or delete an own one */
        delete: operations["deleteChannelsOne"];
        options?: never;
        head?: never;
        /** Change a channel */
        patch: operations["patchChannelsOne"];
        trace?: never;
    };
    "/api/v1/channels/{id}/entries": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List the entries of a channel, without their files */
        get: operations["getChannelsEntries"];
        put?: never;
        /** Add entries to an own channel */
        post: operations["postChannelsEntries"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/channels/{id}/entries/{entry}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Remove an entry from an own channel */
        delete: operations["deleteChannelsEntries"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/channels/{id}/publish": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Publish an own channel now */
        post: operations["postChannelsPublish"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/config": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List the settings with their sources */
        get: operations["getConfig"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        /** Change settings, all or none; settings that are not live take effect at the next start */
        patch: operations["patchConfig"];
        trace?: never;
    };
    "/api/v1/config/compare": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Show what the settings in a configuration file would change */
        post: operations["postConfigCompare"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/config/export": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Export the settings that differ from the defaults as a configuration file, without listeners and credentials */
        get: operations["getConfigExport"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/config/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Reset a setting */
        delete: operations["deleteConfig"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/entries/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show the catalogue entries for an ID */
        get: operations["getEntriesOne"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Follow the node by server-sent events */
        get: operations["getEvents"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/folders": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List a folder of the host */
        get: operations["getFolders"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/health": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Report whether the node is healthy; status 503 if not */
        get: operations["getHealth"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/history": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show the rates over time */
        get: operations["getHistory"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/imports": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Share complete files, such as those of another client, under the torrent that describes them */
        post: operations["postImports"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/incoming": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List what browsers are sending and have sent, oldest first */
        get: operations["getIncoming"];
        put?: never;
        /** Begin an upload that can be resumed after an interruption */
        post: operations["postIncoming"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/incoming/{upload}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** End an upload and delete its files */
        delete: operations["deleteIncoming"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/incoming/{upload}/files": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List the files of an upload */
        get: operations["getIncomingFiles"];
        put?: never;
        /**
         * Begin to send a file with the tus protocol 1.0.0
         * @description The headers are those of the tus protocol 1.0.0 (https://tus.io/protocols/resumable-upload). Upload-Metadata has filename, and may have relativePath, modified, and a random key: a request with the same key, path and size refers to the same file, even if the first answer was lost.
         */
        post: operations["postIncomingFiles"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/incoming/{upload}/files/{file}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * Cancel a file that is not complete
         * @description The headers are those of the tus protocol 1.0.0 (https://tus.io/protocols/resumable-upload). Upload-Metadata has filename, and may have relativePath, modified, and a random key: a request with the same key, path and size refers to the same file, even if the first answer was lost.
         */
        delete: operations["deleteIncomingFiles"];
        options?: never;
        /**
         * Ask how much of a file has arrived
         * @description The headers are those of the tus protocol 1.0.0 (https://tus.io/protocols/resumable-upload). Upload-Metadata has filename, and may have relativePath, modified, and a random key: a request with the same key, path and size refers to the same file, even if the first answer was lost.
         */
        head: operations["headIncomingFiles"];
        /**
         * Send a file, or the rest of it
         * @description The headers are those of the tus protocol 1.0.0 (https://tus.io/protocols/resumable-upload). Upload-Metadata has filename, and may have relativePath, modified, and a random key: a request with the same key, path and size refers to the same file, even if the first answer was lost.
         */
        patch: operations["patchIncomingFiles"];
        trace?: never;
    };
    "/api/v1/lease": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Take a lease that lasts as long as the client reads this answer */
        get: operations["getLease"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/limits": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show the limits of the node */
        get: operations["getLimits"];
        /** Set the limits of the node */
        put: operations["putLimits"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        /** Change the limits of the node in one direction or both */
        patch: operations["patchLimits"];
        trace?: never;
    };
    "/api/v1/matches": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Report how much of the content is already in a folder; this reads the files there */
        post: operations["postMatches"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/network": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Report whether strangers can reach this node */
        get: operations["getNetwork"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/network/test": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Test again whether strangers can reach this node; takes up to 25 seconds */
        post: operations["postNetworkTest"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/node": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Describe the node */
        get: operations["getNode"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/password": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Report whether the page has a password */
        get: operations["getPassword"];
        /** Set the password of the page; this signs out all other browsers */
        put: operations["putPassword"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/preview": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Preview a link or torrent without adding it */
        post: operations["postPreview"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/receive-links": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List the links through which people send files, oldest first */
        get: operations["getReceive-links"];
        put?: never;
        /** Create a link through which people send files with a browser */
        post: operations["postReceive-links"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/receive-links/{link}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** End a link through which people send files */
        delete: operations["deleteReceive-links"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/restart": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show what a restart would change */
        get: operations["getRestart"];
        put?: never;
        /** Stop the node and start it again with the saved settings */
        post: operations["postRestart"];
        /** Clear the record of the failed start */
        delete: operations["deleteRestart"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/search": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Search the transfers of this node and the channels it follows */
        get: operations["getSearch"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/shares": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Share a file or folder */
        post: operations["postShares"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/sign-in": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Create a link that signs in one browser */
        post: operations["postSign-in"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/stats": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show the totals of the node */
        get: operations["getStats"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/transfers": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List transfers, oldest first */
        get: operations["getTransfers"];
        put?: never;
        /** Fetch the content that a link or torrent names */
        post: operations["postTransfers"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/transfers/bulk": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Apply one action to many transfers */
        post: operations["postTransfersBulk"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/transfers/torrents": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Get the .torrent files of transfers as one .zip */
        post: operations["postTransfersTorrents"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/transfers/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show a transfer */
        get: operations["getTransfersOne"];
        put?: never;
        post?: never;
        /** Remove a transfer */
        delete: operations["deleteTransfersOne"];
        options?: never;
        head?: never;
        /** Change limits, goal and priority of a transfer */
        patch: operations["patchTransfersOne"];
        trace?: never;
    };
    "/api/v1/transfers/{id}/archive": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Download all files of a transfer as one archive, even while they are being fetched */
        get: operations["getTransfersArchive"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/transfers/{id}/discovery": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show the sources of peers of a transfer */
        get: operations["getTransfersDiscovery"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/transfers/{id}/files": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List the files of a transfer */
        get: operations["getTransfersFiles"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        /** Set the priorities of files */
        patch: operations["patchTransfersFiles"];
        trace?: never;
    };
    "/api/v1/transfers/{id}/files/{file}/content": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Read a file, even while it is being fetched */
        get: operations["getTransfersFilesContent"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/transfers/{id}/files/{file}/subtitles": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Read a subtitle file as WebVTT */
        get: operations["getTransfersFilesSubtitles"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/transfers/{id}/log": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show the latest log lines of a transfer */
        get: operations["getTransfersLog"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/transfers/{id}/pause": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Pause a transfer */
        post: operations["postTransfersPause"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/transfers/{id}/peers": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List the connected peers */
        get: operations["getTransfersPeers"];
        put?: never;
        /** Add peers by address */
        post: operations["postTransfersPeers"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/transfers/{id}/pieces": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show the state of every piece */
        get: operations["getTransfersPieces"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/transfers/{id}/resume": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Resume a transfer */
        post: operations["postTransfersResume"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/transfers/{id}/room": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Report whether the rest of a transfer fits on its disk */
        get: operations["getTransfersRoom"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/transfers/{id}/streams": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show which files are being played, and what they wait for */
        get: operations["getTransfersStreams"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/transfers/{id}/torrent": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Download the .torrent file of a transfer */
        get: operations["getTransfersTorrent"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/transfers/{id}/verify": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Hash the data on disk again */
        post: operations["postTransfersVerify"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/transfers/{id}/web-links": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Create a link to a transfer for browsers */
        post: operations["postTransfersWeb-links"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/transfers/{id}/web-seed": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /** Also serve a transfer over HTTP to BitTorrent clients (BEP 19); its link has the URL */
        put: operations["putTransfersWeb-seed"];
        post?: never;
        /** Stop serving a transfer over HTTP to BitTorrent clients */
        delete: operations["deleteTransfersWeb-seed"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/uploads": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List the files in the folder of uploads that nothing shares */
        get: operations["getUploads"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/uploads/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Upload a file to share it */
        post: operations["postUploads"];
        /** Delete a file in the folder of uploads that nothing shares */
        delete: operations["deleteUploads"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/web-links": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List the links for browsers, oldest first */
        get: operations["getWeb-links"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/web-links/{link}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** End a link for browsers */
        delete: operations["deleteWeb-links"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        AddressCertificate: {
            /** Format: ip */
            address: string;
            /** @description why the last attempt failed, in the words of the CA */
            error?: string;
            /**
             * Format: date-time
             * @description when it is renewed
             */
            renew?: string;
            /**
             * Format: date-time
             * @description when the CA is asked again after a failure
             */
            retry?: string;
            /** @enum {string} */
            state: "no-port" | "not-reachable" | "pending" | "issued" | "refused" | "limited" | "ca-unreachable" | "failed";
            /**
             * Format: date-time
             * @description when the certificate in use expires; absent if there is none
             */
            until?: string;
        };
        AddressReport: {
            /** Format: ip */
            address: string;
            /** @description evidence for the verdict; empty if there is none */
            evidence: string;
            evidence_text?: components["schemas"]["Text"];
            interface: string;
            /** @description stable, temporary, deprecated, tentative or unknown */
            kind: string;
            /** Format: int32 */
            port: number;
            /** @description announced to others, and in links */
            published: boolean;
            /** @description global, ula or link-local */
            scope: string;
            /** @enum {string} */
            tcp: "reachable" | "unreachable" | "unknown";
            /**
             * Format: date-time
             * @description time of the evidence
             */
            time?: string;
            /** @enum {string} */
            udp: "reachable" | "unreachable" | "unknown";
            udp_evidence?: string;
            udp_evidence_text?: components["schemas"]["Text"];
            /** Format: date-time */
            udp_time?: string;
        };
        Addresses: {
            addresses: string[] | null;
        };
        BulkFailure: {
            id: string;
            problem: components["schemas"]["Problem"];
        };
        BulkKept: {
            id: string;
            kept: components["schemas"]["Kept"][];
        };
        BulkRequest: {
            /** @enum {string} */
            action: "pause" | "resume" | "verify" | "change" | "remove";
            /** @description for the action change: the values to set */
            change?: components["schemas"]["Change"];
            /** @description for the action remove: also delete downloaded files, or the copy that a browser uploaded; files shared from their own folder are never deleted */
            data?: boolean;
            /** @description full IDs, v1 or v2; duplicates are ignored */
            ids: string[];
        };
        BulkResult: {
            /**
             * Format: int64
             * @description number of transfers that are now in the requested state
             */
            done: number;
            /** @description the other transfers, in the order of the request, each with the reason */
            failed: components["schemas"]["BulkFailure"][];
            /** @description for the action remove: transfers whose files were not all deleted, in the order of the request */
            kept?: components["schemas"]["BulkKept"][] | null;
        };
        CertificateReport: {
            /** @description addresses, each with a certificate of its own, best first */
            addresses?: components["schemas"]["AddressCertificate"][] | null;
            /** @description one sentence */
            answer: string;
            /** @description directory URL of the CA (RFC 8555) */
            ca?: string;
            /** @description what to do next; empty for nothing */
            next: string;
            /** @enum {string} */
            state: "none" | "own" | "no-port" | "not-reachable" | "pending" | "issued" | "refused" | "limited" | "ca-unreachable" | "failed";
            /**
             * Format: date-time
             * @description when the owner's certificate expires
             */
            until?: string;
        };
        Change: {
            goal?: components["schemas"]["Goal"];
            /** @description bytes per second, 0 for no limit; an omitted direction does not change */
            limits?: components["schemas"]["LimitChange"];
            /**
             * Format: int32
             * @description which downloads go first when not all may run at once: 1 before the others, 0 in turn, -1 after them
             */
            priority?: number;
        };
        Channel: {
            about?: string;
            /** @description the channel is sealed, and this node does not have its secret */
            blind?: boolean;
            /** @description for a sealed channel: link for a node that mirrors it without being able to read it */
            blind_link?: string;
            /** @description ID of the catalogue in use */
            content?: string;
            /**
             * Format: int64
             * @description number of entries
             */
            entries: number;
            /** @description the latest error, one sentence */
            error?: string;
            error_text?: components["schemas"]["Text"];
            /** @description identifier of the channel: its public key, 64 hex digits; if its link has a salt, a hash of both */
            key: string;
            /**
             * Format: int64
             * @description entries that were not fetched because they do not fit or do not state their size
             */
            left?: number;
            /** @description link to follow it; for a sealed channel that this node can read, it includes the secret */
            link: string;
            /**
             * Format: int64
             * @description maximum size of the entries that are fetched automatically, in bytes; 0 fetches none
             */
            mirror: number;
            /**
             * Format: int64
             * @description bytes that the mirror uses
             */
            mirrored?: number;
            name: string;
            /** @description this node has its key */
            own: boolean;
            /** @description it has unpublished changes, or a newer version is being fetched */
            pending: boolean;
            restoring: boolean;
            /** @description its name and entries can be read only with the secret in its full link; others see IDs and sizes */
            sealed: boolean;
            /**
             * Format: int64
             * @description sequence number of the newest version seen; -1 for none
             */
            seq: number;
            /**
             * Format: date-time
             * @description when this version arrived
             */
            updated?: string;
        };
        ChannelChange: {
            /** @description new description of an own channel */
            about?: string;
            /**
             * Format: int64
             * @description maximum size of the mirror of a followed channel, in bytes; 0 stops mirroring
             */
            mirror?: number;
            /** @description new name of an own channel */
            name?: string;
        };
        Coming: {
            /** @description bytes are arriving now */
            active?: boolean;
            /**
             * Format: int64
             * @description number of complete files
             */
            arrived: number;
            /**
             * Format: int64
             * @description for an upload: expected number of bytes
             */
            bytes?: number;
            /** Format: date-time */
            created: string;
            /**
             * Format: int64
             * @description how many times a sender reported that everything was sent
             */
            deliveries?: number;
            /** @description it accepts no more files */
            ended?: boolean;
            /**
             * Format: int64
             * @description for an upload: expected number of files
             */
            files?: number;
            /** @description where the files go */
            folder: string;
            id: string;
            /**
             * @description upload: from the owner, to be shared. receive: from anybody who has a receive link; it has the ID of the link
             * @enum {string}
             */
            kind: "upload" | "receive";
            /** @description the latest complete files, at most 20 */
            latest: components["schemas"]["ComingFile"][] | null;
            /**
             * Format: int64
             * @description maximum number of files
             */
            max_files: number;
            /**
             * Format: int64
             * @description maximum number of bytes; 0 is no limit
             */
            max_size?: number;
            name: string;
            /** @description the latest incomplete files, at most 20 */
            open: components["schemas"]["ComingFile"][] | null;
            /** @description for an upload whose files have arrived: the path to share */
            root?: string;
            /**
             * Format: int64
             * @description bytes that have arrived, including those of incomplete files
             */
            sent: number;
            /**
             * Format: int64
             * @description bytes of complete files
             */
            taken: number;
            /** @description why the latest file was not accepted */
            trouble?: string;
            /**
             * Format: int64
             * @description number of incomplete files
             */
            unfinished: number;
            /**
             * Format: date-time
             * @description when a byte last arrived
             */
            updated: string;
        };
        ComingFile: {
            /** @description last element of its URL */
            id: string;
            /**
             * Format: date-time
             * @description when it was last modified, according to the browser
             */
            modified?: string;
            /**
             * Format: int64
             * @description for a complete file: its number in the order of completion, from 1
             */
            number?: number;
            /** @description path as it was sent, with slashes */
            path: string;
            /**
             * Format: int64
             * @description bytes that have arrived
             */
            sent: number;
            /** Format: int64 */
            size: number;
            /** @description for a complete file: its path on the node */
            stored?: string;
        };
        ConfigFile: {
            /** @description TOML */
            text: string;
        };
        DHTReport: {
            /**
             * Format: int64
             * @description number of known nodes that were heard from in the last 15 minutes
             */
            answering: number;
            /**
             * Format: int64
             * @description number of known nodes
             */
            nodes: number;
            problem?: string;
            problem_text?: components["schemas"]["Text"];
        };
        DoorReport: {
            /** Format: ip */
            address: string;
            evidence?: string;
            evidence_text?: components["schemas"]["Text"];
            /** Format: int32 */
            port: number;
            /** @enum {string} */
            tcp: "reachable" | "unreachable" | "unknown";
            /**
             * Format: date-time
             * @description time of the evidence
             */
            time?: string;
        };
        Entry: {
            about?: string;
            /** Format: int64 */
            bytes: number;
            channel?: string;
            files?: components["schemas"]["EntryFile"][] | null;
            id: string;
            link: string;
            name: string;
            /** @description the content is sealed and can be read only with its key: the key is in its link, or this node does not have it and the name is empty */
            sealed?: boolean;
            tags?: string[] | null;
            /** Format: date-time */
            time?: string;
        };
        EntryFile: {
            path: string;
            /** Format: int64 */
            size: number;
        };
        ErrorDetail: {
            /** @description Where the error occurred, e.g. 'body.items[3].tags' or 'path.thing-id' */
            location?: string;
            /** @description Error message text */
            message?: string;
            /** @description The value at the given location */
            value?: unknown;
        };
        Event: {
            by?: components["schemas"]["Fetcher"];
            /** Format: int64 */
            count?: number;
            event: string;
            file?: components["schemas"]["Found"];
            id: string;
            message?: string;
            message_text?: components["schemas"]["Text"];
            source?: string;
            /** Format: date-time */
            time: string;
            transfer?: components["schemas"]["Transfer"];
            was?: string;
        };
        FailedStart: {
            error: string;
            error_text?: components["schemas"]["Text"];
            /** @description saved settings that were dropped */
            settings: {
                [key: string]: string;
            };
            /** Format: date-time */
            time: string;
        };
        FetchRequest: {
            /** @description complete files that are already there in place, if at least one of their pieces is right; without it, right files are put beside them */
            adopt?: boolean;
            /** @description globs of the paths to download; empty means all */
            files?: string[] | null;
            /** @description when to stop seeding; without it, the node's setting */
            goal?: components["schemas"]["Goal"];
            /** @description lease of the fetch: when it ends, the fetch is paused; see GET /lease */
            lease?: string;
            limits?: components["schemas"]["Limits"];
            /** @description magnet link, ID, or URL of a .torrent file */
            link?: string;
            no_trackers?: boolean;
            /** @description absolute path of the folder to download into; empty is the node's default */
            output?: string;
            paused?: boolean;
            /** @description download in order */
            sequential?: boolean;
            /** @description content of a .torrent file, base64 */
            torrent?: string;
        };
        Fetcher: {
            address: string;
            client: string;
        };
        File: {
            /** Format: int64 */
            bytes: number;
            disk?: string;
            /** Format: int64 */
            index: number;
            named?: string;
            path: string;
            /** Format: int32 */
            priority: number;
            /** Format: int64 */
            total: number;
            windows?: string;
        };
        Folder: {
            /** @description folders first, by name; without hidden entries */
            entries: components["schemas"]["FolderEntry"][];
            /**
             * Format: int64
             * @description number of entries that are not listed because there are too many
             */
            more?: number;
            /** @description empty at the top */
            parent?: string;
            path: string;
        };
        FolderEntry: {
            folder: boolean;
            name: string;
            /**
             * Format: int64
             * @description size of a file in bytes
             */
            size: number;
        };
        FormerURL: {
            url: string;
            /** @description the node still has this address and answers there until it loses it */
            works?: boolean;
        };
        Found: {
            beside?: string;
            /** Format: int64 */
            index: number;
            /** Format: int64 */
            length: number;
            path: string;
            /** Format: int64 */
            right: number;
        };
        GatewayProblem: {
            error: string;
            error_text?: components["schemas"]["Text"];
            /** @description PCP, NAT-PMP or UPnP */
            method: string;
        };
        Goal: {
            /** Format: int64 */
            for?: number;
            none?: boolean;
            /** Format: double */
            ratio?: number;
        };
        Health: {
            ok: boolean;
            problem_texts?: components["schemas"]["Text"][] | null;
            /** @description sentences; not every problem makes the node unhealthy */
            problems: string[] | null;
        };
        History: {
            /** @description bytes per second */
            down: number[];
            /**
             * Format: date-time
             * @description end of the last step
             */
            end: string;
            /**
             * Format: int64
             * @description seconds between two rates
             */
            step: number;
            /** @description bytes per second */
            up: number[];
        };
        Hit: {
            about?: string;
            /** Format: int64 */
            bytes: number;
            channel?: string;
            files?: components["schemas"]["EntryFile"][] | null;
            id: string;
            link: string;
            name: string;
            /** Format: double */
            rank: number;
            /** @description the content is sealed and can be read only with its key: the key is in its link, or this node does not have it and the name is empty */
            sealed?: boolean;
            snippet?: string;
            tags?: string[] | null;
            /** Format: date-time */
            time?: string;
        };
        IPv4Report: {
            /** @description in links */
            addresses: string[] | null;
            /** @description protocols for port mappings that do not work with the router, and why */
            gateways: components["schemas"]["GatewayProblem"][] | null;
            /** @description absent if the router has mapped no port */
            mapping?: components["schemas"]["PortMapping"];
        };
        Import: {
            changes: components["schemas"]["ImportChange"][];
            /** @description lines that cannot be imported */
            refused: components["schemas"]["ImportRefusal"][];
            /**
             * Format: int64
             * @description number of settings that already have these values
             */
            same: number;
        };
        ImportChange: {
            from: string;
            /** Format: int64 */
            line: number;
            /** @description it takes effect without a restart */
            live: boolean;
            name: string;
            /** @description value for PATCH /config that makes this change */
            set: string;
            to: string;
        };
        ImportRefusal: {
            /**
             * Format: int64
             * @description from 1; 0 if unknown
             */
            line: number;
            name?: string;
            why: string;
            why_text?: components["schemas"]["Text"];
        };
        ImportRequest: {
            /** @description its history in another client */
            before?: components["schemas"]["Past"];
            /** @description paths, below the folder, of the files whose names on disk differ from those in the torrent, by file number */
            files?: {
                [key: string]: string;
            };
            /** @description when to stop seeding; without it, never */
            goal?: components["schemas"]["Goal"];
            limits?: components["schemas"]["Limits"];
            no_trackers?: boolean;
            /** @description absolute path of the file, or of the folder that contains the files */
            path: string;
            /** @description pause it as soon as its files are verified */
            paused?: boolean;
            /** @description content of a .torrent file, base64 */
            torrent: string;
        };
        Info: {
            /** @description the node asks a CA for certificates: a sealed share gets the URL of its web link as soon as there is one */
            acme?: boolean;
            /** @description the addresses of the node that are in links, best first */
            addresses: string[] | null;
            /**
             * Format: int64
             * @description version of the API
             */
            api: number;
            /** @description identifies this start of the node */
            boot: string;
            daemon: boolean;
            /**
             * @description how the node serves web links; empty if it does not
             * @enum {string}
             */
            door?: "http" | "https";
            /** @description default folder of downloads */
            downloads: string;
            /**
             * Format: int64
             * @description free bytes in the default folder of downloads; -1 if unknown
             */
            free: number;
            /** @description ADDRESS:PORT of the listeners for peers (TCP) and the DHT (UDP) */
            listen: string[] | null;
            /** @description shoal */
            name: string;
            /** Format: int64 */
            pid: number;
            /** @description problems with the node's own files, such as channel keys and credentials, each with what to do */
            problems?: string[] | null;
            /** @description path of the Unix socket of this API */
            socket: string;
            /** Format: date-time */
            started: string;
            /** @description state directory */
            state: string;
            /** @description folder of the files that browsers uploaded; a share of something in this folder can be removed together with its files */
            uploads: string;
            /** @description version of the program */
            version: string;
            /** @description URL of the web page; empty if it is not served */
            web: string;
        };
        Inside: {
            /** @description how it was recognised */
            evidence: string;
            /** @enum {string} */
            kind: "container" | "vm" | "wsl";
            /** @description such as Docker, Podman or QEMU; empty if unknown */
            name: string;
            /** @description an address indicates that the host translates addresses; always false for containers */
            nat: boolean;
        };
        Kept: {
            part?: boolean;
            path: string;
            reason: string;
        };
        LeftOut: {
            /** Format: int64 */
            count: number;
            items: components["schemas"]["Omitted"][] | null;
        };
        LimitChange: {
            /** Format: int64 */
            down?: number;
            /** Format: int64 */
            up?: number;
        };
        Limits: {
            /** Format: int64 */
            down: number;
            /** Format: int64 */
            up: number;
        };
        LogLine: {
            /** @description for the event fetched: the peer that has all of the content after this node uploaded to it */
            by?: components["schemas"]["Fetcher"];
            /** Format: int64 */
            count?: number;
            event: string;
            /** @description for the event beside: the file that was already there */
            file?: components["schemas"]["Found"];
            message?: string;
            message_text?: components["schemas"]["Text"];
            source?: string;
            /** Format: date-time */
            time: string;
        };
        Match: {
            /**
             * Format: int64
             * @description bytes of these files
             */
            bytes: number;
            /**
             * Format: int64
             * @description number of files that have the names of files of the content
             */
            files: number;
            /**
             * Format: int64
             * @description bytes of these files in pieces that are right; 0 if the file list is unknown
             */
            right: number;
        };
        MatchRequest: {
            /** @description magnet link, ID, or URL of a .torrent file */
            link?: string;
            /** @description absolute path of the folder it would be downloaded into */
            output: string;
            /** @description content of a .torrent file, base64 */
            torrent?: string;
        };
        NewChannel: {
            about?: string;
            /** @description link of the channel to follow: magnet:?xs=urn:btpk:KEY, or a bare key; with x.k=SECRET, a sealed channel can be read */
            link?: string;
            /**
             * Format: int64
             * @description fetch its entries automatically, up to this many bytes; if omitted, a channel that is already followed keeps its value
             */
            mirror?: number;
            /** @description name of the channel to create */
            name?: string;
            /** @description create a sealed channel: its name and entries can be read only with its full link */
            sealed?: boolean;
            /** @description key to import, as shoal channel export writes it */
            secret?: string;
        };
        NewComing: {
            /**
             * Format: int64
             * @description total size of the files in bytes
             */
            bytes: number;
            /**
             * Format: int64
             * @description how many files will be sent
             */
            files: number;
            /** @description random key, chosen by the sender: the same key identifies the same upload, so that a request whose answer was lost can be sent again */
            key?: string;
            /** @description name of the file or folder */
            name: string;
            /** @description create a folder of that name for the files; without it, there is one file */
            tree?: boolean;
        };
        NewEntries: {
            about?: string;
            /** @description transfers of this node */
            ids?: string[] | null;
            /** @description links of content that this node need not have */
            links?: string[] | null;
            tags?: string[] | null;
        };
        NewReceiveLink: {
            /**
             * Format: date-time
             * @description when the link ends
             */
            expires?: string;
            /** @description absolute path of the folder for the files; without it, a new folder in the default folder of downloads */
            folder?: string;
            /** @description lease of the link: when it ends, the link ends; see GET /lease */
            lease?: string;
            /**
             * Format: int64
             * @description accept at most this many files in total; 0 is 10000
             */
            max_files?: number;
            /**
             * Format: int64
             * @description accept at most this many bytes in total
             */
            max_size?: number;
            /** @description purpose of the link, as people see it; without it, the name of the folder */
            name?: string;
            /** @description ask people for this password */
            password?: string;
        };
        NewWebLink: {
            /**
             * Format: date-time
             * @description when the link ends; without it, the link ends with the share
             */
            expires?: string;
            /**
             * Format: int64
             * @description end the link after this many downloads
             */
            max_downloads?: number;
            /** @description ask people for this password */
            password?: string;
        };
        NextSetting: {
            /** @description for a saved value that overrides the file: the value in the file */
            file?: string;
            /** @enum {string} */
            source: "flag" | "environment" | "file" | "saved" | "default";
            value: string;
            values?: string[] | null;
            where?: string;
        };
        NodeLimits: {
            /** Format: int64 */
            down: number;
            now: components["schemas"]["Limits"];
            /** @description why now differs from the limits that were set */
            reason?: string;
            reason_text?: components["schemas"]["Text"];
            /** @description source of the limits that were set */
            source: string;
            /** Format: int64 */
            up: number;
        };
        Omitted: {
            path: string;
            reason: string;
            reason_text?: components["schemas"]["Text"];
        };
        Orphan: {
            /** Format: int64 */
            bytes: number;
            folder?: boolean;
            /** Format: date-time */
            modified: string;
            name: string;
            path: string;
        };
        Page: {
            entries: components["schemas"]["Entry"][] | null;
            /** Format: int64 */
            total: number;
        };
        Password: {
            password: string;
        };
        PasswordState: {
            set: boolean;
        };
        Past: {
            /**
             * Format: date-time
             * @description when it was added; without it, now
             */
            added?: string;
            /**
             * Format: int64
             * @description bytes
             */
            downloaded?: number;
            /**
             * Format: int64
             * @description bytes; they count towards the ratio
             */
            uploaded?: number;
        };
        Peer: {
            address: string;
            client: string;
            /** Format: int64 */
            down: number;
            /** Format: int64 */
            downloaded: number;
            encrypted: boolean;
            incoming: boolean;
            /** Format: double */
            progress: number;
            source: string;
            /** Format: int64 */
            up: number;
            /** Format: int64 */
            uploaded: number;
            utp: boolean;
        };
        Pieces: {
            /** Format: int64 */
            length: number;
            state: string;
        };
        Pinhole: {
            /** Format: ip */
            address: string;
            error?: string;
            error_text?: components["schemas"]["Text"];
            /** @description address of the router that was asked */
            gateway: string;
            /** @description PCP or UPnP */
            method: string;
            /** Format: int32 */
            port: number;
            /** @enum {string} */
            protocol: "tcp" | "udp";
            /**
             * Format: date-time
             * @description when the lease ends unless it is renewed; absent if the pinhole is not open
             */
            until?: string;
        };
        PortMapping: {
            error?: string;
            error_text?: components["schemas"]["Text"];
            /** @description the router's address and port */
            external: string;
            /**
             * Format: ip
             * @description address of the router
             */
            gateway: string;
            /** @description this node's address and port */
            internal: string;
            /** @description PCP, NAT-PMP or UPnP */
            method: string;
            /**
             * Format: date-time
             * @description when the lease ends unless it is renewed; absent if it does not end
             */
            until?: string;
        };
        Preview: {
            /** @description empty if the file list is unknown */
            files: components["schemas"]["File"][] | null;
            /**
             * Format: int64
             * @description free bytes there; -1 if unknown
             */
            free: number;
            id: string;
            link: string;
            /**
             * Format: int64
             * @description bytes to keep free there: with less free space, downloads wait
             */
            min_free: number;
            name: string;
            /** @description folder it would be downloaded into */
            output: string;
            /** @description addresses in the link */
            peers: string[] | null;
            present?: components["schemas"]["Transfer"];
            private: boolean;
            /** @description the link has the key of a sealed share; the name, size and files of its content are unknown until a peer has sent them */
            sealed?: boolean;
            /**
             * Format: int64
             * @description bytes; 0 if unknown
             */
            size: number;
            trackers: string[] | null;
            web_seeds: string[] | null;
        };
        PreviewRequest: {
            /** @description magnet link, ID, or URL of a .torrent file */
            link?: string;
            /** @description content of a .torrent file, base64 */
            torrent?: string;
        };
        Priorities: {
            /** @description by file number: -1 skip, 0 normal, 1 high */
            priorities: {
                [key: string]: number;
            };
        };
        Problem: {
            /**
             * @description kind of error; the exit status of the command line depends on it
             * @enum {string}
             */
            code: "failed" | "usage" | "nobody" | "no-node" | "refused" | "disk" | "interrupted";
            /** @description what went wrong and, if possible, what to do about it */
            detail: string;
            detail_text?: components["schemas"]["Text"];
            errors?: components["schemas"]["ErrorDetail"][] | null;
            /**
             * Format: int64
             * @description HTTP status
             */
            status: number;
            /** @description short description of the type */
            title: string;
            /**
             * Format: uri-reference
             * @example /api/v1/problems/refused
             */
            type: string;
        };
        ReceiveLink: {
            /**
             * Format: int64
             * @description bytes of the files that have arrived
             */
            bytes: number;
            /** Format: date-time */
            created: string;
            /** @description the URL is https */
            encrypted?: boolean;
            /** @description it expired */
            ended?: boolean;
            /** Format: date-time */
            expires?: string;
            /**
             * Format: int64
             * @description files that have arrived
             */
            files: number;
            /** @description where the files go */
            folder: string;
            /** @description identifies the link for its owner; it does not allow sending */
            id: string;
            /**
             * Format: int64
             * @description maximum number of files in total
             */
            max_files: number;
            /**
             * Format: int64
             * @description maximum number of bytes in total; 0 is no limit
             */
            max_size?: number;
            /** @description purpose of the link, as people see it */
            name: string;
            /** @description URLs of the link at other addresses of the node, best first */
            others?: string[] | null;
            /** @description people are asked for a password */
            password?: boolean;
            /** @description URL to give to others; empty while the node serves no web links */
            url: string;
        };
        RefusedPort: {
            /** @description why, and what to do */
            error: string;
            error_text?: components["schemas"]["Text"];
            /** Format: int32 */
            port: number;
        };
        Removal: {
            /** @description files that were not deleted, and why: files that shoal did not create, files that were changed since, and without data, unfinished files */
            kept: components["schemas"]["Kept"][] | null;
        };
        Report: {
            /** @description addresses, those in links first */
            addresses: components["schemas"]["AddressReport"][] | null;
            /** @description one sentence */
            answer: string;
            answer_text?: components["schemas"]["Text"];
            /** @description absent if the DHT is off */
            dht?: components["schemas"]["DHTReport"];
            /** @description protocols for pinholes that do not work with the router, and why */
            gateways: components["schemas"]["GatewayProblem"][] | null;
            /** @description the container or virtual machine that the node runs in; absent if none is recognised */
            inside?: components["schemas"]["Inside"];
            /** @description absent if IPv4 is off */
            ipv4?: components["schemas"]["IPv4Report"];
            /** @description what to do next */
            next: string;
            next_text?: components["schemas"]["Text"];
            /** @description pinholes that the router was asked for, open or not */
            pinholes: components["schemas"]["Pinhole"][] | null;
            /** @description addresses at which others see this node */
            seen: components["schemas"]["SeenAs"][] | null;
            /**
             * @description whether a stranger's TCP connection to an address in the links succeeds
             * @enum {string}
             */
            verdict: "reachable" | "unreachable" | "unknown";
            /** @description what this host lacks to reach others, and what would help; absent if nothing is lacking */
            warning?: string;
            warning_text?: components["schemas"]["Text"];
            /** @description absent if web links are not served */
            web?: components["schemas"]["WebReport"];
        };
        Restart: {
            /** @description POST /restart restarts this node; a node that a command runs for itself ends with the command */
            can: boolean;
            /** @description the last start that failed because of saved settings */
            failed?: components["schemas"]["FailedStart"];
            /** @description names of the settings whose new value needs a restart */
            pending: string[];
        };
        Results: {
            hits: components["schemas"]["Hit"][] | null;
            /** @description there are more matches than total; narrow the search with another word or filter */
            more: boolean;
            /**
             * Format: int64
             * @description number of ranked matches, the newest 800 at most; limit and offset select from these
             */
            total: number;
        };
        Room: {
            /**
             * Format: int64
             * @description free bytes; -1 if unknown
             */
            free: number;
            /**
             * Format: int64
             * @description bytes to keep free: with less free space, downloads wait
             */
            min_free: number;
            /**
             * Format: int64
             * @description bytes that are still to be written; 0 if the size is unknown
             */
            needed: number;
            /** @description path on the disk that is written to */
            path: string;
        };
        SeenAs: {
            /** Format: ip */
            address: string;
            /** @enum {string} */
            by: "dht" | "peers";
            /**
             * Format: int64
             * @description how many reported this address; 0 for most of the DHT
             */
            count?: number;
        };
        Setting: {
            /** @description the allowed values of a choice */
            choices?: string[] | null;
            default: string;
            /** @description for a saved value that overrides the file: the value in the file */
            file?: string;
            /** @enum {string} */
            group: "downloads" | "speed" | "network" | "seeding" | "folders" | "access" | "expert";
            /** @description the API cannot change it; only a flag, a variable or the file can */
            guarded: boolean;
            help: string;
            /**
             * @description how to write the value, or an element of a list
             * @enum {string}
             */
            kind: "switch" | "number" | "rate" | "size" | "choice" | "folder" | "goal" | "schedule" | "text";
            /** @description any number of elements; PATCH /config takes them separated by semicolons */
            list: boolean;
            /** @description a change takes effect without a restart */
            live: boolean;
            name: string;
            /** @description value at the next start of the node, if it differs */
            next?: components["schemas"]["NextSetting"];
            /** @enum {string} */
            source: "flag" | "environment" | "file" | "saved" | "default";
            /** @description value as a user would write it; the elements of a list are separated by commas */
            value: string;
            /** @description elements of a list */
            values?: string[] | null;
            /** @description name of the flag, the variable or the file; for a saved value, name of the file that has another value */
            where?: string;
            /** @description the API can change it */
            writable: boolean;
        };
        ShareRequest: {
            /** @description share it even if it is or contains a home directory; without it, such a request fails with a problem of type unconfirmed */
            confirm?: boolean;
            /** @description globs of names, or of paths below the folder, to leave out; ** matches any number of folders, and each glob must match something */
            exclude?: string[] | null;
            follow_symlinks?: boolean;
            /** @description when to stop seeding; without it, the node's setting */
            goal?: components["schemas"]["Goal"];
            /** @description also describe the content for BitTorrent v2 (BEP 52) */
            hybrid?: boolean;
            /** @description the lease ends as soon as the link is known, and the node keeps the share */
            keep?: boolean;
            /** @description lease of the share: when it ends, the share ends; see GET /lease */
            lease?: string;
            limits?: components["schemas"]["Limits"];
            /** @description name in the link; if empty, the last element of the path */
            name?: string;
            /** @description file or folder, absolute */
            path: string;
            /**
             * Format: int64
             * @description bytes per piece, a power of two of at least 16 KiB; with 0, the node chooses by the size of the content
             */
            piece_length?: number;
            /** @description do not seal it, even if the node's setting sealed is on */
            plain?: boolean;
            /** @description never announce it (BEP 27) */
            private?: boolean;
            /** @description seal it: only those who have the key, which is in the link, can read it */
            sealed?: boolean;
            /** @description refuse a folder that contains something that cannot be shared, instead of leaving it out */
            strict?: boolean;
        };
        SignIn: {
            /** @description sign-in link; works once and expires after two minutes */
            url: string;
        };
        Stats: {
            /**
             * Format: int64
             * @description open connections to peers
             */
            connections: number;
            /** Format: int64 */
            down: number;
            /** Format: int64 */
            downloaded: number;
            /**
             * Format: int64
             * @description free bytes in the default folder of downloads; -1 if unknown
             */
            free: number;
            limits: components["schemas"]["Limits"];
            /**
             * Format: int64
             * @description connections refused since the node started
             */
            refused: number;
            /** @description transfers by state */
            states: {
                [key: string]: number;
            };
            /** Format: int64 */
            transfers: number;
            /** Format: int64 */
            up: number;
            /** Format: int64 */
            uploaded: number;
        };
        Stream: {
            /** Format: int64 */
            ahead: number;
            /** Format: int64 */
            at: number;
            /** Format: int64 */
            file: number;
            /** Format: int64 */
            missing: number;
            /** Format: int64 */
            piece: number;
            /** Format: int64 */
            pieces: number;
            /** Format: int64 */
            ready: number;
            waits: boolean;
        };
        Streams: {
            /** Format: int64 */
            held: number;
            streams: components["schemas"]["Stream"][] | null;
        };
        Text: {
            /** @description each a string, an integer or another text */
            args?: unknown[] | null;
            /** @description the English sentence, with {0}, {1} and so on for the elements of args */
            pattern: string;
        };
        TorrentsOf: {
            ids: string[];
        };
        Transfer: {
            /** Format: date-time */
            added: string;
            /** Format: double */
            availability?: number;
            /** Format: int64 */
            bytes: number;
            channel?: string;
            code?: string;
            /** Format: date-time */
            completed?: string;
            /** Format: int64 */
            down: number;
            /** Format: int64 */
            downloaded: number;
            /** Format: int64 */
            files: number;
            goal: components["schemas"]["Goal"];
            /** Format: int64 */
            hidden?: number;
            id: string;
            /** Format: int64 */
            ipv4_only?: number;
            left_out?: components["schemas"]["LeftOut"];
            limits: components["schemas"]["Limits"];
            link: string;
            /** Format: date-time */
            looked?: string;
            name: string;
            own: boolean;
            path: string;
            /** Format: int64 */
            peers: number;
            /** Format: int32 */
            priority?: number;
            reason?: string;
            reason_text?: components["schemas"]["Text"];
            /** @enum {string} */
            seal?: "open" | "blind";
            /** Format: int64 */
            seeds: number;
            /** Format: int64 */
            size: number;
            state: string;
            /** Format: int64 */
            total: number;
            /** Format: int64 */
            up: number;
            /** Format: int64 */
            uploaded: number;
            v1?: string;
            v2?: string;
        };
        Uploaded: {
            /** Format: int64 */
            bytes: number;
            /** @description first element of the path of its folder; pass it with the next file of the same folder */
            folder?: string;
            /** @description path of the file */
            path: string;
            /** @description path to share: the path of the folder if there is one, else the path of the file */
            root: string;
        };
        Way: {
            /** @description a request is running */
            busy?: boolean;
            /** @description why the last attempt failed */
            error?: string;
            error_text?: components["schemas"]["Text"];
            /**
             * Format: int64
             * @description new addresses it returned since the node started; for a tracker, the addresses in its last answer
             */
            found: number;
            /**
             * Format: date-time
             * @description time of the last answer
             */
            last?: string;
            /** @description URL of a tracker */
            name?: string;
            /**
             * Format: date-time
             * @description time of the next request
             */
            next?: string;
            /** @description the source is used for this transfer */
            on: boolean;
            source: string;
        };
        WebLink: {
            /** Format: date-time */
            created: string;
            /**
             * Format: int64
             * @description number of complete downloads of a file or an archive: every byte was sent
             */
            downloads: number;
            /** @description the URL is https */
            encrypted?: boolean;
            /** @description it expired, or its downloads are used up */
            ended?: boolean;
            /** Format: date-time */
            expires?: string;
            /** @description URLs that were given out for the link and that the node has lost or is about to lose; the latest first */
            former?: components["schemas"]["FormerURL"][] | null;
            /** @description identifies the link for its owner; it does not allow fetching */
            id: string;
            /**
             * Format: int64
             * @description the link ends after this many downloads; 0 is no limit
             */
            max_downloads?: number;
            /** @description URLs of the link at other addresses of the node, best first */
            others?: string[] | null;
            /** @description people are asked for a password */
            password?: boolean;
            /**
             * @description whether strangers are known to reach the address of the URL
             * @enum {string}
             */
            reachable?: "reachable" | "unreachable" | "unknown";
            transfer: string;
            /** @description URL to give to others; empty while the node serves no web links, and for a sealed share while there is no certificate */
            url: string;
        };
        WebReport: {
            certificate: components["schemas"]["CertificateReport"];
            /** @description addresses and ports of web links in addition to those for peers, best first */
            doors: components["schemas"]["DoorReport"][] | null;
            /** @description ports at which this node should serve web links but cannot listen */
            refused?: components["schemas"]["RefusedPort"][] | null;
        };
        Welcome: {
            /**
             * Format: int64
             * @description newest version of the API
             */
            api: number;
            name: string;
            /**
             * Format: int64
             * @description oldest version of the API that the node supports
             */
            oldest: number;
            version: string;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    getChannels: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Channel"][] | null;
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    postChannels: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewChannel"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Channel"];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getChannelsOne: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description key, may be shortened while unique, or name */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Channel"];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    deleteChannelsOne: {
        parameters: {
            query?: {
                /** @description allow the deletion of an own channel and its key */
                own?: boolean;
            };
            header?: never;
            path: {
                /** @description key, may be shortened while unique, or name */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Channel"];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    patchChannelsOne: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description key, may be shortened while unique, or name */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ChannelChange"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Channel"];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getChannelsEntries: {
        parameters: {
            query?: {
                limit?: number;
                /** @description number of entries to skip */
                offset?: number;
            };
            header?: never;
            path: {
                /** @description key, may be shortened while unique, or name */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page"];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    postChannelsEntries: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description key, may be shortened while unique, or name */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewEntries"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Channel"];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    deleteChannelsEntries: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description key, may be shortened while unique, or name */
                id: string;
                /** @description ID, 40 hex digits */
                entry: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Channel"];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    postChannelsPublish: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description key, may be shortened while unique, or name */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Channel"];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getConfig: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Setting"][] | null;
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    patchConfig: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    [key: string]: string;
                };
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Setting"][] | null;
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    postConfigCompare: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ConfigFile"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Import"];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getConfigExport: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Export the settings that differ from the defaults as a configuration file, without listeners and credentials */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/toml": string;
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    deleteConfig: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getEntriesOne: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description ID, or the beginning of one */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Entry"][] | null;
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getEvents: {
        parameters: {
            query?: {
                /** @description topics, separated by commas: peers:ID, pieces:ID, files:ID, log:ID, discovery:ID, streams:ID, node */
                topics?: string;
                /** @description only these IDs, separated by commas */
                transfers?: string;
                /** @description include the totals of the node */
                stats?: boolean;
            };
            header?: {
                /** @description continue after this event */
                "Last-Event-ID"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Follow the node by server-sent events */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": string;
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getFolders: {
        parameters: {
            query?: {
                /** @description absolute path; without it, the user's home folder */
                path?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Folder"];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getHealth: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Health"];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getHistory: {
        parameters: {
            query?: {
                /** @description the last hour by seconds, the last day by minutes, or the last 31 days by hours */
                span?: "hour" | "day" | "month";
                /** @description ID of a transfer, may be shortened while unique; without it, the whole node */
                transfer?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["History"];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    postImports: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ImportRequest"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Transfer"];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getIncoming: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Coming"][] | null;
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    postIncoming: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewComing"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Coming"];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    deleteIncoming: {
        parameters: {
            query?: {
                /** @description keep the files that have arrived; without it, they are also deleted */
                keep?: boolean;
            };
            header?: never;
            path: {
                /** @description ID of the upload */
                upload: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getIncomingFiles: {
        parameters: {
            query?: {
                /** @description only files that were completed after the file with this number */
                after?: number;
            };
            header?: never;
            path: {
                /** @description ID of the upload */
                upload: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ComingFile"][] | null;
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    postIncomingFiles: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description ID of the upload */
                upload: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/offset+octet-stream": string;
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Begin to send a file with the tus protocol 1.0.0 */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    deleteIncomingFiles: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description ID of the upload */
                upload: string;
                /** @description ID of the file */
                file: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Cancel a file that is not complete */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    headIncomingFiles: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description ID of the upload */
                upload: string;
                /** @description ID of the file */
                file: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Ask how much of a file has arrived */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    patchIncomingFiles: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description ID of the upload */
                upload: string;
                /** @description ID of the file */
                file: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/offset+octet-stream": string;
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Send a file, or the rest of it */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getLease: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Take a lease that lasts as long as the client reads this answer */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": string;
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getLimits: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["NodeLimits"];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    putLimits: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Limits"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["NodeLimits"];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    patchLimits: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["LimitChange"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["NodeLimits"];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    postMatches: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["MatchRequest"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Match"];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getNetwork: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Report"];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    postNetworkTest: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Report"];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getNode: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Info"];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getPassword: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PasswordState"];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    putPassword: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Password"];
            };
        };
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    postPreview: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PreviewRequest"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Preview"];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "getReceive-links": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ReceiveLink"][] | null;
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "postReceive-links": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewReceiveLink"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ReceiveLink"];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "deleteReceive-links": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description ID of the link */
                link: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getRestart: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Restart"];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    postRestart: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    deleteRestart: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getSearch: {
        parameters: {
            query?: {
                /** @description query: words, "phrases", -not, file:, tag:, channel:NAME, type:video, size:>1G, since:2026-01, before:2026 */
                q?: string;
                /** @description only from the channel with this key; me is this node */
                channel?: string;
                /** @description number of hits to return; 50 by default */
                limit?: number;
                /** @description number of hits to skip */
                offset?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Results"];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    postShares: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ShareRequest"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Transfer"];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "postSign-in": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SignIn"];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getStats: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Stats"];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getTransfers: {
        parameters: {
            query?: {
                /** @description fields to return, separated by commas; without it, all */
                fields?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Transfer"][];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    postTransfers: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["FetchRequest"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Transfer"];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    postTransfersBulk: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["BulkRequest"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BulkResult"];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    postTransfersTorrents: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["TorrentsOf"];
            };
        };
        responses: {
            /** @description Get the .torrent files of transfers as one .zip */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/zip": string;
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getTransfersOne: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description ID, v1 or v2, may be shortened while unique */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Transfer"];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    deleteTransfersOne: {
        parameters: {
            query?: {
                /** @description also delete downloaded files, or the copy that a browser uploaded; files shared from their own folder are never deleted */
                data?: boolean;
            };
            header?: never;
            path: {
                /** @description ID, v1 or v2, may be shortened while unique */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Removal"];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    patchTransfersOne: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description ID, v1 or v2, may be shortened while unique */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Change"];
            };
        };
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getTransfersArchive: {
        parameters: {
            query?: {
                format?: "zip" | "tar";
                /** @description only the files in this folder of the transfer */
                path?: string;
            };
            header?: never;
            path: {
                /** @description ID, v1 or v2, may be shortened while unique */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Download all files of a transfer as one archive, even while they are being fetched */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/octet-stream": string;
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getTransfersDiscovery: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description ID, v1 or v2, may be shortened while unique */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Way"][] | null;
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getTransfersFiles: {
        parameters: {
            query?: {
                /** @description fields to return, separated by commas; without it, all */
                fields?: string;
            };
            header?: never;
            path: {
                /** @description ID, v1 or v2, may be shortened while unique */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["File"][];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    patchTransfersFiles: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description ID, v1 or v2, may be shortened while unique */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Priorities"];
            };
        };
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getTransfersFilesContent: {
        parameters: {
            query?: {
                /** @description the file is being played: while data is missing ahead of the reader, other downloads are slowed down */
                play?: boolean;
            };
            header?: never;
            path: {
                /** @description ID, v1 or v2, may be shortened while unique */
                id: string;
                /** @description number of the file, from 0 */
                file: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Read a file, even while it is being fetched */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/octet-stream": string;
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getTransfersFilesSubtitles: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description ID, v1 or v2, may be shortened while unique */
                id: string;
                /** @description number of the file, from 0 */
                file: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Read a subtitle file as WebVTT */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/vtt": string;
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getTransfersLog: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description ID, v1 or v2, may be shortened while unique */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LogLine"][] | null;
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    postTransfersPause: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description ID, v1 or v2, may be shortened while unique */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getTransfersPeers: {
        parameters: {
            query?: {
                /** @description fields to return, separated by commas; without it, all */
                fields?: string;
            };
            header?: never;
            path: {
                /** @description ID, v1 or v2, may be shortened while unique */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Peer"][];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    postTransfersPeers: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description ID, v1 or v2, may be shortened while unique */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Addresses"];
            };
        };
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getTransfersPieces: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description ID, v1 or v2, may be shortened while unique */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Pieces"];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    postTransfersResume: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description ID, v1 or v2, may be shortened while unique */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getTransfersRoom: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description ID, v1 or v2, may be shortened while unique */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Room"];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getTransfersStreams: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description ID, v1 or v2, may be shortened while unique */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Streams"];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getTransfersTorrent: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description ID, v1 or v2, may be shortened while unique */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Download the .torrent file of a transfer */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/x-bittorrent": string;
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    postTransfersVerify: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description ID, v1 or v2, may be shortened while unique */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "postTransfersWeb-links": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description ID, v1 or v2, may be shortened while unique */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewWebLink"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WebLink"];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "putTransfersWeb-seed": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description ID, v1 or v2, may be shortened while unique */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "deleteTransfersWeb-seed": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description ID, v1 or v2, may be shortened while unique */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getUploads: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Orphan"][] | null;
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    postUploads: {
        parameters: {
            query?: {
                /** @description path of the folder that the file belongs to, with slashes */
                folder?: string;
                /** @description an earlier upload created the first element of folder; without it, a new folder is created, under another name if the name is taken */
                join?: boolean;
            };
            header?: never;
            path: {
                /** @description name of the file */
                name: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/octet-stream": string;
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Uploaded"];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    deleteUploads: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description name in the folder of uploads */
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "getWeb-links": {
        parameters: {
            query?: {
                /** @description ID of a transfer, may be shortened while unique; without it, all links */
                transfer?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WebLink"][] | null;
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "deleteWeb-links": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description ID of the link */
                link: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
}
