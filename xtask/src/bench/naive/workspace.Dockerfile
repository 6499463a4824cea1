FROM {{base}}
RUN npm install --global {{manager}}
WORKDIR /app
COPY . .
RUN pnpm install
RUN {{build}}
EXPOSE {{port}}
CMD {{start}}
